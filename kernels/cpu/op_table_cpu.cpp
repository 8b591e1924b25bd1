// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/quantized_product.h"

namespace wb::kernels {
namespace {

OpTable makeCpuOpTable() {
    cpu::cpuFeatures();  // settles the instruction sets before the first kernel runs
    OpTable table;
    table.embeddingForward.run = cpu::embeddingForward;
    table.embeddingBackward.run = cpu::embeddingBackward;
    table.linearForward.run = cpu::linearForward;
    table.linearGroup.run = cpu::linearGroup;
    table.linearBackwardInput.run = cpu::linearBackwardInput;
    table.linearBackwardWeight.run = cpu::linearBackwardWeight;
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
    table.lmHeadLoss.run = cpu::lmHeadLoss;
    table.globalNorm.run = cpu::globalNorm;
    table.adamW.run = cpu::adamW;
    table.quantize.run = cpu::quantize;
    table.dequantize.run = cpu::dequantize;
    table.retile.run = cpu::retile;
    table.gemmWorkspaceBytes = cpu::gemmWorkspaceBytes;
    table.quantizedWorkspaceBytes = cpu::quantizedWorkspaceBytes;
    table.widenedWorkspaceBytes = cpu::widenedWorkspaceBytes;
    table.attentionForwardMath.run = cpu::attentionForwardMath;
    table.attentionForwardMemoryEfficient.run = cpu::attentionForwardMemoryEfficient;
    table.attentionForwardFlash.run = cpu::attentionForwardFlash;
    table.attentionBackwardMath.run = cpu::attentionBackwardMath;
    table.attentionBackwardMemoryEfficient.run = cpu::attentionBackwardMemoryEfficient;
    table.attentionBackwardFlash.run = cpu::attentionBackwardFlash;
    table.kvCacheStore.run = cpu::kvCacheStore;
    table.pagedAttention.run = cpu::pagedAttention;
    return table;
}

}  // namespace

const OpTable& cpuOpTable() {
    static const OpTable table = makeCpuOpTable();
    return table;
}

}  // namespace wb::kernels
