// SPDX-License-Identifier: Apache-2.0
// The entries of the CPU's op table. Arguments were checked by the public function of the op (kernels/<op>.cpp).
#pragma once

#include "kernels/runtime/op_table.h"

namespace wb::kernels::cpu {

void embeddingForward(const Context& context, const EmbeddingForwardArgs& args);
void embeddingBackward(const Context& context, const EmbeddingBackwardArgs& args);
void linearForward(const Context& context, const LinearForwardArgs& args);
size_t linearForwardWorkspace(const Context& context, const LinearForwardArgs& args);
size_t linearBackwardInputWorkspace(const Context& context, const LinearBackwardInputArgs& args);
size_t linearBackwardWeightWorkspace(const Context& context, const LinearBackwardWeightArgs& args);
void linearGroup(const Context& context, const LinearGroupArgs& args);
void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args);
void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args);
void rmsNormForward(const Context& context, const RmsNormForwardArgs& args);
void rmsNormBackward(const Context& context, const RmsNormBackwardArgs& args);
void layerNormForward(const Context& context, const LayerNormForwardArgs& args);
void layerNormBackward(const Context& context, const LayerNormBackwardArgs& args);
void rotary(const Context& context, const RotaryArgs& args);
void attentionForwardMath(const Context& context, const AttentionForwardArgs& args);
void attentionForwardMemoryEfficient(const Context& context, const AttentionForwardArgs& args);
void attentionForwardFlash(const Context& context, const AttentionForwardArgs& args);
void attentionBackwardMath(const Context& context, const AttentionBackwardArgs& args);
void attentionBackwardMemoryEfficient(const Context& context, const AttentionBackwardArgs& args);
void attentionBackwardFlash(const Context& context, const AttentionBackwardArgs& args);
void kvCacheStore(const Context& context, const KvCacheStoreArgs& args);
void pagedAttention(const Context& context, const PagedAttentionArgs& args);
void gatedActivationForward(const Context& context, const GatedActivationForwardArgs& args);
void gatedActivationBackward(const Context& context, const GatedActivationBackwardArgs& args);
void activationForward(const Context& context, const ActivationForwardArgs& args);
void activationBackward(const Context& context, const ActivationBackwardArgs& args);
void gatherColumns(const Context& context, const GatherColumnsArgs& args);
void scatterAddColumns(const Context& context, const ScatterAddColumnsArgs& args);
void distanceTableForward(const Context& context, const DistanceTableForwardArgs& args);
void distanceTableBackward(const Context& context, const DistanceTableBackwardArgs& args);
void routeExpertsForward(const Context& context, const RouteExpertsForwardArgs& args);
void routeExpertsBackward(const Context& context, const RouteExpertsBackwardArgs& args);
void gatherRows(const Context& context, const GatherRowsArgs& args);
void combineRows(const Context& context, const CombineRowsArgs& args);
void combineRowsBackwardWeights(const Context& context, const CombineRowsBackwardWeightsArgs& args);
void add(const Context& context, const AddArgs& args);
void scale(const Context& context, const ScaleArgs& args);
void softCap(const Context& context, const SoftCapArgs& args);
void fill(const Context& context, const FillArgs& args);
void cast(const Context& context, const CastArgs& args);
void dropout(const Context& context, const DropoutArgs& args);
void columnScaleForward(const Context& context, const ColumnScaleForwardArgs& args);
void columnScaleBackward(const Context& context, const ColumnScaleBackwardArgs& args);
void rowNorm(const Context& context, const RowNormArgs& args);
size_t lmHeadLossWorkspace(const Context& context, const LmHeadLossArgs& args);
void lmHeadLoss(const Context& context, const LmHeadLossArgs& args);
void lossSum(const Context& context, const LossSumArgs& args);
void globalNorm(const Context& context, const GlobalNormArgs& args);
void stepSummary(const Context& context, const StepSummaryArgs& args);
void adamW(const Context& context, const AdamWArgs& args);
void adamW8bit(const Context& context, const AdamW8bitArgs& args);
void quantize(const Context& context, const QuantizeArgs& args);
void dequantize(const Context& context, const DequantizeArgs& args);
void retile(const Context& context, const RetileArgs& args);

}  // namespace wb::kernels::cpu
