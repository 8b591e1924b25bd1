// SPDX-License-Identifier: Apache-2.0
// sum = sum of losses;  loss = sum / tokens;  scale = min(1, clip / norm), NaN if loss or norm is not finite
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/double_sum.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

// One block: a micro-batch has thousands of losses, not millions, and one order of summation needs no second pass.
__global__ void __launch_bounds__(kThreads)
    lossSumKernel(const float* losses, int64_t count, double* sum, bool accumulates) {
    __shared__ double scratch[kThreads / kWarpSize];
    double mine = 0;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) mine += static_cast<double>(losses[i]);
    const double total = blockSumOfDoubles<kThreads>(mine, scratch);
    if (threadIdx.x == 0) *sum = accumulates ? *sum + total : total;
}

__global__ void stepSummaryKernel(const double* lossSum, const float* gradientNorm, double labelTokens, float clipNorm,
                                  float* out) {
    const auto loss = static_cast<float>(*lossSum / labelTokens);
    const float norm = *gradientNorm;
    const float scale = clipNorm > 0 && norm > clipNorm ? __fdiv_rn(clipNorm, norm) : 1.0F;
    out[kStepLoss] = loss;
    out[kStepGradientNorm] = norm;
    out[kStepGradientScale] = isfinite(loss) && isfinite(norm) ? scale : NAN;
}

}  // namespace

void lossSum(const Context& context, const LossSumArgs& args) {
    if (args.losses.dtype != DType::F32) failDtype("loss_sum", args.losses.dtype);
    launch(streamOf(context), {1, kThreads}, lossSumKernel, args.losses.as<float>(), args.losses.shape.count(),
           args.sum.as<double>(), args.accumulates);
}

void stepSummary(const Context& context, const StepSummaryArgs& args) {
    if (args.gradientNorm.dtype != DType::F32) failDtype("step_summary", args.gradientNorm.dtype);
    launch(streamOf(context), {1, 1}, stepSummaryKernel, args.lossSum.as<double>(), args.gradientNorm.as<float>(),
           static_cast<double>(args.labelTokens), args.clipNorm, args.out.as<float>());
}

}  // namespace wb::kernels::cuda
