// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/cpu_ops.h"

#include <cstring>

namespace wb::kernels {
namespace {

template <class Args>
OpEntry<Args> with(const OpEntry<Args>& entry, void (*run)(const Context&, const Args&),
                   size_t (*workspaceBytes)(const Context&, const Args&)) {
    return {entry.name, run, workspaceBytes};
}

void copyBytes(const Context& /*context*/, void* target, const void* source, size_t bytes) {
    std::memcpy(target, source, bytes);
}

OpTable makeCpuOpTable() {
    cpu::cpuFeatures();  // settles the instruction sets before the first kernel runs
    OpTable table;
    table.embeddingForward.run = cpu::embeddingForward;
    table.embeddingBackward.run = cpu::embeddingBackward;
    table.linearForward = with(table.linearForward, cpu::linearForward, cpu::linearForwardWorkspace);
    table.linearGroup.run = cpu::linearGroup;
    table.linearBackwardInput =
        with(table.linearBackwardInput, cpu::linearBackwardInput, cpu::linearBackwardInputWorkspace);
    table.linearBackwardWeight =
        with(table.linearBackwardWeight, cpu::linearBackwardWeight, cpu::linearBackwardWeightWorkspace);
    table.rmsNormForward.run = cpu::rmsNormForward;
    table.rmsNormBackward.run = cpu::rmsNormBackward;
    table.layerNormForward.run = cpu::layerNormForward;
    table.layerNormBackward.run = cpu::layerNormBackward;
    table.rotary.run = cpu::rotary;
    table.gatedActivationForward.run = cpu::gatedActivationForward;
    table.gatedActivationBackward.run = cpu::gatedActivationBackward;
    table.activationForward.run = cpu::activationForward;
    table.activationBackward.run = cpu::activationBackward;
    table.gatherColumns.run = cpu::gatherColumns;
    table.scatterAddColumns.run = cpu::scatterAddColumns;
    table.distanceTableForward.run = cpu::distanceTableForward;
    table.distanceTableBackward.run = cpu::distanceTableBackward;
    table.routeExpertsForward.run = cpu::routeExpertsForward;
    table.routeExpertsBackward.run = cpu::routeExpertsBackward;
    table.gatherRows.run = cpu::gatherRows;
    table.combineRows.run = cpu::combineRows;
    table.combineRowsBackwardWeights.run = cpu::combineRowsBackwardWeights;
    table.add.run = cpu::add;
    table.scale.run = cpu::scale;
    table.softCap.run = cpu::softCap;
    table.fill.run = cpu::fill;
    table.cast.run = cpu::cast;
    table.dropout.run = cpu::dropout;
    table.columnScaleForward.run = cpu::columnScaleForward;
    table.columnScaleBackward.run = cpu::columnScaleBackward;
    table.rowNorm.run = cpu::rowNorm;
    table.lmHeadLoss = with(table.lmHeadLoss, cpu::lmHeadLoss, cpu::lmHeadLossWorkspace);
    table.lossSum.run = cpu::lossSum;
    table.globalNorm.run = cpu::globalNorm;
    table.stepSummary.run = cpu::stepSummary;
    table.adamW.run = cpu::adamW;
    table.adamW8bit.run = cpu::adamW8bit;
    table.quantize.run = cpu::quantize;
    table.dequantize.run = cpu::dequantize;
    table.retile.run = cpu::retile;
    table.attentionForwardMath =
        with(table.attentionForwardMath, cpu::attentionForwardMath, cpu::attentionForwardMathWorkspace);
    table.attentionForwardMemoryEfficient =
        with(table.attentionForwardMemoryEfficient, cpu::attentionForwardMemoryEfficient,
             cpu::attentionForwardMemoryEfficientWorkspace);
    table.attentionForwardFlash =
        with(table.attentionForwardFlash, cpu::attentionForwardFlash, cpu::attentionForwardFlashWorkspace);
    table.attentionBackwardMath =
        with(table.attentionBackwardMath, cpu::attentionBackwardMath, cpu::attentionBackwardMathWorkspace);
    table.attentionBackwardMemoryEfficient =
        with(table.attentionBackwardMemoryEfficient, cpu::attentionBackwardMemoryEfficient,
             cpu::attentionBackwardMemoryEfficientWorkspace);
    table.attentionBackwardFlash =
        with(table.attentionBackwardFlash, cpu::attentionBackwardFlash, cpu::attentionBackwardFlashWorkspace);
    table.kvCacheStore.run = cpu::kvCacheStore;
    table.pagedAttention = with(table.pagedAttention, cpu::pagedAttention, cpu::pagedAttentionWorkspace);
    table.copyFromHost = copyBytes;
    table.copyToHost = copyBytes;
    table.synchronize = [](const Context&) {};
    return table;
}

}  // namespace

const OpTable& cpuOpTable() {
    static const OpTable table = makeCpuOpTable();
    return table;
}

}  // namespace wb::kernels
