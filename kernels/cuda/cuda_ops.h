// SPDX-License-Identifier: Apache-2.0
// The entries of the CUDA op table. Arguments were checked by the public function of the op (kernels/<op>.cpp).
#pragma once

#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "kernels/linear_group.h"
#include "kernels/lm_head_loss.h"
#include "kernels/optimizer.h"
#include "kernels/step_summary.h"

namespace wb::kernels::cuda {

void add(const Context& context, const AddArgs& args);
void scale(const Context& context, const ScaleArgs& args);
void softCap(const Context& context, const SoftCapArgs& args);
void fill(const Context& context, const FillArgs& args);
void cast(const Context& context, const CastArgs& args);
void dropout(const Context& context, const DropoutArgs& args);

void linearForward(const Context& context, const LinearForwardArgs& args);
size_t linearForwardWorkspace(const Context& context, const LinearForwardArgs& args);
void linearGroup(const Context& context, const LinearGroupArgs& args);
void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args);
size_t linearBackwardInputWorkspace(const Context& context, const LinearBackwardInputArgs& args);
void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args);
size_t linearBackwardWeightWorkspace(const Context& context, const LinearBackwardWeightArgs& args);
void lmHeadLoss(const Context& context, const LmHeadLossArgs& args);
size_t lmHeadLossWorkspace(const Context& context, const LmHeadLossArgs& args);
void lossSum(const Context& context, const LossSumArgs& args);
size_t globalNormWorkspace(const Context& context, const GlobalNormArgs& args);
void globalNorm(const Context& context, const GlobalNormArgs& args);
void stepSummary(const Context& context, const StepSummaryArgs& args);
void adamW(const Context& context, const AdamWArgs& args);

}  // namespace wb::kernels::cuda
