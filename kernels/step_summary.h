// SPDX-License-Identifier: Apache-2.0
// What decides about a training step, computed where the step runs: the host need not wait for it.
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>

namespace wb::kernels {

// sum[0] = sum of the losses (+ sum[0] with accumulates), in double, with a fixed order of summation.
//   losses [tokens] F32 or F64;  sum [1] F64.
struct LossSumArgs {
    ConstView losses;
    View sum;
    bool accumulates = false;
};
void lossSum(const Context& context, const LossSumArgs& args);

// Where the numbers of a step lie in StepSummaryArgs::out.
enum StepNumber : int { kStepLoss, kStepGradientNorm, kStepGradientScale, kNumStepNumbers };

// out = {loss, norm, scale}:
//   loss  = lossSum / labelTokens
//   norm  = gradientNorm
//   scale = clipNorm / norm if 0 < clipNorm < norm, else 1; NaN if loss or norm is not finite
//   lossSum [1] F64;  gradientNorm [1] F32 or F64;  out [3] F32.  labelTokens > 0.
struct StepSummaryArgs {
    ConstView lossSum;
    ConstView gradientNorm;
    int64_t labelTokens = 1;
    float clipNorm = 0;
    View out;
};
void stepSummary(const Context& context, const StepSummaryArgs& args);

}  // namespace wb::kernels
