// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"

namespace wb::kernels::cpu {
namespace {

OpTable makeReferenceOpTable() {
    OpTable table = cpuOpTable();
    table.embeddingForward.run = reference::embeddingForward;
    table.embeddingBackward.run = reference::embeddingBackward;
    table.linearForward.run = reference::linearForward;
    table.linearBackwardInput.run = reference::linearBackwardInput;
    table.linearBackwardWeight.run = reference::linearBackwardWeight;
    table.rmsNormForward.run = reference::rmsNormForward;
    table.rmsNormBackward.run = reference::rmsNormBackward;
    table.layerNormForward.run = reference::layerNormForward;
    table.layerNormBackward.run = reference::layerNormBackward;
    table.rotary.run = reference::rotary;
    table.gatedActivationForward.run = reference::gatedActivationForward;
    table.gatedActivationBackward.run = reference::gatedActivationBackward;
    table.activationForward.run = reference::activationForward;
    table.activationBackward.run = reference::activationBackward;
    table.gatherColumns.run = reference::gatherColumns;
    table.scatterAddColumns.run = reference::scatterAddColumns;
    table.gatherRows.run = reference::gatherRows;
    table.combineRows.run = reference::combineRows;
    table.combineRowsBackwardWeights.run = reference::combineRowsBackwardWeights;
    table.add.run = reference::add;
    table.scale.run = reference::scale;
    table.softCap.run = reference::softCap;
    table.dropout.run = reference::dropout;
    table.columnScaleForward.run = reference::columnScaleForward;
    table.columnScaleBackward.run = reference::columnScaleBackward;
    table.lmHeadLoss.run = reference::lmHeadLoss;
    table.globalNorm.run = reference::globalNorm;
    table.adamW.run = reference::adamW;
    return table;
}

}  // namespace

const OpTable& referenceOpTable() {
    static const OpTable table = makeReferenceOpTable();
    return table;
}

}  // namespace wb::kernels::cpu
