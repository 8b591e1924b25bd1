// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/op_table_cuda.h"

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/graph_recording.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace {

// The copy of pageable memory may still be under way when cudaMemcpyAsync returns; the source must not be needed then.
void copyFromHost(const Context& context, void* target, const void* source, size_t bytes) {
    Stream& stream = streamOf(context);
    if (stream.recording() != nullptr) return stream.recording()->copy(target, source, bytes);
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, stream.handle()), "copying to the device");
    stream.synchronize();
}

void copyToHost(const Context& context, void* target, const void* source, size_t bytes) {
    Stream& stream = streamOf(context);
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, stream.handle()), "copying from the device");
    stream.synchronize();
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
    table.attentionForwardMath = {table.attentionForwardMath.name, attentionForwardMath, attentionForwardMathWorkspace};
    table.attentionBackwardMath = {table.attentionBackwardMath.name, attentionBackwardMath,
                                   attentionBackwardMathWorkspace};
    table.attentionForwardMemoryEfficient = {table.attentionForwardMemoryEfficient.name,
                                             attentionForwardMemoryEfficient, attentionForwardMemoryEfficientWorkspace};
    table.attentionBackwardMemoryEfficient = {table.attentionBackwardMemoryEfficient.name,
                                              attentionBackwardMemoryEfficient,
                                              attentionBackwardMemoryEfficientWorkspace};
    table.kvCacheStore.run = kvCacheStore;
    table.pagedAttention.run = pagedAttention;
    table.pagedAttention.workspaceBytes = pagedAttentionWorkspace;
    table.linearForward = {table.linearForward.name, linearForward, linearForwardWorkspace};
    table.linearGroup.run = linearGroup;
    table.linearBackwardInput = {table.linearBackwardInput.name, linearBackwardInput, linearBackwardInputWorkspace};
    table.linearBackwardWeight = {table.linearBackwardWeight.name, linearBackwardWeight, linearBackwardWeightWorkspace};
    table.lmHeadLoss = {table.lmHeadLoss.name, lmHeadLoss, lmHeadLossWorkspace};
    table.lossSum.run = lossSum;
    table.globalNorm.run = globalNorm;
    table.globalNorm.workspaceBytes = globalNormWorkspace;
    table.stepSummary.run = stepSummary;
    table.adamW.run = adamW;
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
