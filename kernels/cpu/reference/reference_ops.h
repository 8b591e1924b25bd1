// SPDX-License-Identifier: Apache-2.0
// The plain scalar form of every op but attention: sums in double, one thread's order, F64/F32/BF16 storage. It runs
// F64 tensors (gradient checks) and is what tests compare the fast kernels with.
#pragma once

#include "kernels/runtime/op_table.h"

namespace wb::kernels::cpu {

// Every non-attention entry is the reference, for all storage types; attention entries are those of the CPU.
const OpTable& referenceOpTable();

namespace reference {

void embeddingForward(const Context& context, const EmbeddingForwardArgs& args);
void embeddingBackward(const Context& context, const EmbeddingBackwardArgs& args);
void linearForward(const Context& context, const LinearForwardArgs& args);
void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args);
void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args);
void rmsNormForward(const Context& context, const RmsNormForwardArgs& args);
void rmsNormBackward(const Context& context, const RmsNormBackwardArgs& args);
void layerNormForward(const Context& context, const LayerNormForwardArgs& args);
void layerNormBackward(const Context& context, const LayerNormBackwardArgs& args);
void rotary(const Context& context, const RotaryArgs& args);
void gatedActivationForward(const Context& context, const GatedActivationForwardArgs& args);
void gatedActivationBackward(const Context& context, const GatedActivationBackwardArgs& args);
void activationForward(const Context& context, const ActivationForwardArgs& args);
void activationBackward(const Context& context, const ActivationBackwardArgs& args);
void gatherColumns(const Context& context, const GatherColumnsArgs& args);
void scatterAddColumns(const Context& context, const ScatterAddColumnsArgs& args);
void gatherRows(const Context& context, const GatherRowsArgs& args);
void combineRows(const Context& context, const CombineRowsArgs& args);
void combineRowsBackwardWeights(const Context& context, const CombineRowsBackwardWeightsArgs& args);
void add(const Context& context, const AddArgs& args);
void scale(const Context& context, const ScaleArgs& args);
void softCap(const Context& context, const SoftCapArgs& args);
void dropout(const Context& context, const DropoutArgs& args);
void columnScaleForward(const Context& context, const ColumnScaleForwardArgs& args);
void columnScaleBackward(const Context& context, const ColumnScaleBackwardArgs& args);
void lmHeadLoss(const Context& context, const LmHeadLossArgs& args);
void globalNorm(const Context& context, const GlobalNormArgs& args);
void adamW(const Context& context, const AdamWArgs& args);

}  // namespace reference
}  // namespace wb::kernels::cpu
