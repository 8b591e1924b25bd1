// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/op_table_cuda.h"

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/graph_recording.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/upload_ring.h"

namespace wb::kernels::cuda {
namespace {

void copyFromHost(const Context& context, void* target, const void* source, size_t bytes) {
    Stream& stream = streamOf(context);
    if (stream.recording() != nullptr) return stream.recording()->copy(target, source, bytes);
    stream.uploads().send(target, source, bytes);
}

void copyToHost(const Context& context, void* target, const void* source, size_t bytes) {
    Stream& stream = streamOf(context);
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, stream.handle()), "copying from the device");
    stream.synchronize();
}

template <class Args>
void set(OpEntry<Args>& entry, void (*run)(const Context&, const Args&),
         size_t (*workspaceBytes)(const Context&, const Args&)) {
    entry.run = run;
    entry.workspaceBytes = workspaceBytes;
}

OpTable makeCudaOpTable() {
    OpTable table;
    table.device = DeviceType::Cuda;
    table.add.run = add;
    table.scale.run = scale;
    table.softCap.run = softCap;
    table.fill.run = fill;
    table.cast.run = cast;
    table.dropout.run = dropout;
    table.attentionForwardFlash.run = attentionForwardFlash;
    set(table.attentionBackwardFlash, attentionBackwardFlash, attentionBackwardFlashWorkspace);
    table.attentionForwardMath = {table.attentionForwardMath.name, attentionForwardMath, attentionForwardMathWorkspace};
    table.attentionBackwardMath = {table.attentionBackwardMath.name, attentionBackwardMath,
                                   attentionBackwardMathWorkspace};
    table.attentionForwardMemoryEfficient = {table.attentionForwardMemoryEfficient.name,
                                             attentionForwardMemoryEfficient, attentionForwardMemoryEfficientWorkspace};
    table.attentionBackwardMemoryEfficient = {table.attentionBackwardMemoryEfficient.name,
                                              attentionBackwardMemoryEfficient,
                                              attentionBackwardMemoryEfficientWorkspace};
    table.activationForward.run = activationForward;
    table.activationBackward.run = activationBackward;
    table.gatedActivationForward.run = gatedActivationForward;
    table.gatedActivationBackward.run = gatedActivationBackward;
    table.columnScaleForward.run = columnScaleForward;
    set(table.columnScaleBackward, columnScaleBackward, columnScaleBackwardWorkspace);
    table.gatherColumns.run = gatherColumns;
    table.scatterAddColumns.run = scatterAddColumns;
    table.distanceTableForward.run = distanceTableForward;
    table.distanceTableBackward.run = distanceTableBackward;
    table.embeddingForward.run = embeddingForward;
    set(table.embeddingBackward, embeddingBackward, embeddingBackwardWorkspace);
    table.routeExpertsForward.run = routeExpertsForward;
    table.routeExpertsBackward.run = routeExpertsBackward;
    table.layerNormForward.run = layerNormForward;
    set(table.layerNormBackward, layerNormBackward, layerNormBackwardWorkspace);
    table.rmsNormForward.run = rmsNormForward;
    set(table.rmsNormBackward, rmsNormBackward, rmsNormBackwardWorkspace);
    set(table.globalNorm, globalNorm, globalNormWorkspace);
    table.kvCacheStore.run = kvCacheStore;
    table.pagedAttention.run = pagedAttention;
    table.pagedAttention.workspaceBytes = pagedAttentionWorkspace;
    set(table.linearForward, linearForward, linearForwardWorkspace);
    table.linearGroup.run = linearGroup;
    set(table.linearBackwardInput, linearBackwardInput, linearBackwardInputWorkspace);
    set(table.linearBackwardWeight, linearBackwardWeight, linearBackwardWeightWorkspace);
    set(table.lmHeadLoss, lmHeadLoss, lmHeadLossWorkspace);
    table.lossSum.run = lossSum;
    table.stepSummary.run = stepSummary;
    table.adamW.run = adamW;
    table.rotary.run = rotary;
    table.rowNorm.run = rowNorm;
    table.gatherRows.run = gatherRows;
    table.combineRows.run = combineRows;
    table.combineRowsBackwardWeights.run = combineRowsBackwardWeights;
    table.adamW8bit.run = adamW8bit;
    table.quantize.run = quantize;
    table.dequantize.run = dequantize;
    table.retile.run = retile;
    table.copyFromHost = copyFromHost;
    table.copyToHost = copyToHost;
    table.synchronize = [](const Context& context) { streamOf(context).synchronize(); };
    return table;
}

}  // namespace

const OpTable& cudaOpTable() {
    static const OpTable table = makeCudaOpTable();
    return table;
}

}  // namespace wb::kernels::cuda
