// SPDX-License-Identifier: Apache-2.0
// sum = sum of losses;  loss = sum / tokens;  scale = min(1, clip / norm), NaN if loss or norm is not finite
#include "kernels/cpu/cpu_ops.h"

#include <cmath>
#include <limits>

namespace wb::kernels::cpu {
namespace {

template <class T>
double sumOf(const ConstView& losses) {
    double sum = 0;
    for (int64_t i = 0; i < losses.shape.count(); ++i) sum += static_cast<double>(losses.as<T>()[i]);
    return sum;
}

}  // namespace

void lossSum(const Context& /*context*/, const LossSumArgs& args) {
    const double sum = args.losses.dtype == DType::F64 ? sumOf<double>(args.losses) : sumOf<float>(args.losses);
    double& out = *args.sum.as<double>();
    out = args.accumulates ? out + sum : sum;
}

void stepSummary(const Context& /*context*/, const StepSummaryArgs& args) {
    const auto loss = static_cast<float>(*args.lossSum.as<double>() / static_cast<double>(args.labelTokens));
    const float norm = args.gradientNorm.dtype == DType::F64 ? static_cast<float>(*args.gradientNorm.as<double>())
                                                             : *args.gradientNorm.as<float>();
    const bool clips = args.clipNorm > 0 && norm > args.clipNorm;
    float* out = args.out.as<float>();
    out[kStepLoss] = loss;
    out[kStepGradientNorm] = norm;
    out[kStepGradientScale] = !std::isfinite(loss) || !std::isfinite(norm) ? std::numeric_limits<float>::quiet_NaN()
                              : clips                                      ? args.clipNorm / norm
                                                                           : 1.0F;
}

}  // namespace wb::kernels::cpu
