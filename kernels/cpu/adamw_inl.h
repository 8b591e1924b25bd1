// SPDX-License-Identifier: Apache-2.0
// The arithmetic of AdamW on vectors. Included once per Highway target, after simd_inl.h.

// What all instruction sets share.
#ifndef WB_KERNELS_CPU_ADAMW_FACTORS
#define WB_KERNELS_CPU_ADAMW_FACTORS
#include <cmath>
namespace wb::kernels::cpu {

// What one sweep needs, computed once.
struct AdamWFactors {
    float gradientScale;
    float beta1, oneMinusBeta1;
    float beta2, oneMinusBeta2;
    float stepSize;   // lr / (1 - beta1^step)
    float rootScale;  // 1 / sqrt(1 - beta2^step)
    float epsilon;
};

// Args: AdamWArgs or AdamW8bitArgs.
template <class Args>
AdamWFactors adamWFactors(const Args& args) {
    const auto beta1 = static_cast<double>(args.beta1);
    const auto beta2 = static_cast<double>(args.beta2);
    const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(args.step));
    const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(args.step));
    return {
        .gradientScale = args.gradientScale.isPresent() ? *args.gradientScale.template as<float>() : 1.0F,
        .beta1 = args.beta1,
        .oneMinusBeta1 = static_cast<float>(1.0 - beta1),
        .beta2 = args.beta2,
        .oneMinusBeta2 = static_cast<float>(1.0 - beta2),
        .stepSize = static_cast<float>(static_cast<double>(args.learningRate) / correction1),
        .rootScale = static_cast<float>(1.0 / std::sqrt(correction2)),
        .epsilon = args.epsilon,
    };
}

// 1 - lr * weightDecay.
inline float keptOfWeight(float learningRate, float weightDecay) {
    return static_cast<float>(1.0 - static_cast<double>(learningRate) * static_cast<double>(weightDecay));
}

}  // namespace wb::kernels::cpu
#endif

#if defined(WB_KERNELS_CPU_ADAMW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WB_KERNELS_CPU_ADAMW_INL_H
#undef WB_KERNELS_CPU_ADAMW_INL_H
#else
#define WB_KERNELS_CPU_ADAMW_INL_H
#endif

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

// One step of m, v and w by a gradient; `kept` of w is left by weight decay.
HWY_INLINE void adamWStep(const AdamWFactors& f, float kept, FloatVec gradient, FloatVec& m, FloatVec& v, FloatVec& w) {
    const FloatTag d;
    const FloatVec g = hn::Mul(gradient, hn::Set(d, f.gradientScale));
    m = hn::MulAdd(hn::Set(d, f.beta1), m, hn::Mul(hn::Set(d, f.oneMinusBeta1), g));
    v = hn::MulAdd(hn::Set(d, f.beta2), v, hn::Mul(hn::Set(d, f.oneMinusBeta2), hn::Mul(g, g)));
    const FloatVec denominator = hn::MulAdd(hn::Sqrt(v), hn::Set(d, f.rootScale), hn::Set(d, f.epsilon));
    const FloatVec move = hn::Div(hn::Mul(hn::Set(d, f.stepSize), m), denominator);
    w = hn::NegMulAdd(hn::Set(d, 1.0F), move, hn::Mul(hn::Set(d, kept), w));
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
