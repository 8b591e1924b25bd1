// SPDX-License-Identifier: Apache-2.0
// The activation functions and their derivatives on vectors. Included once per Highway target, after simd_inl.h.

#if defined(WB_KERNELS_CPU_ACTIVATION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WB_KERNELS_CPU_ACTIVATION_INL_H
#undef WB_KERNELS_CPU_ACTIVATION_INL_H
#else
#define WB_KERNELS_CPU_ACTIVATION_INL_H
#endif

#include "kernels/base/activation.h"
#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

// Each activation gives its value and its derivative; what a caller does not use is optimised away.
struct ValueAndSlope {
    FloatVec value;
    FloatVec slope;
};

struct Silu {
    HWY_INLINE ValueAndSlope operator()(FloatTag d, FloatVec x) const {
        const FloatVec s = sigmoidVec(d, x);
        const FloatVec value = hn::Mul(x, s);
        return {value, hn::MulAdd(value, hn::Sub(hn::Set(d, 1.0F), s), s)};  // s + x s (1 - s)
    }
};

// 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3)
struct GeluTanh {
    HWY_INLINE ValueAndSlope operator()(FloatTag d, FloatVec x) const {
        constexpr float kTwoA = 1.5957691216057308F;  // 2 sqrt(2 / pi)
        const FloatVec square = hn::Mul(x, x);
        const FloatVec twoU =
            hn::Mul(hn::Mul(hn::Set(d, kTwoA), x), hn::MulAdd(hn::Set(d, 0.044715F), square, hn::Set(d, 1.0F)));
        const FloatVec twoSlopeU = hn::MulAdd(hn::Set(d, 3.0F * 0.044715F * kTwoA), square, hn::Set(d, kTwoA));
        const FloatVec s = sigmoidVec(d, twoU);
        const FloatVec value = hn::Mul(x, s);
        const FloatVec bend = hn::Mul(value, hn::Sub(hn::Set(d, 1.0F), s));
        // Far out the polynomial overflows while s (1 - s) is zero: their product must be zero, not NaN.
        const auto isFlat = hn::Eq(bend, hn::Zero(d));
        return {value, hn::Add(s, hn::IfThenZeroElse(isFlat, hn::Mul(bend, twoSlopeU)))};
    }
};

// x Phi(x) with Phi(x) = erfc(-x / sqrt 2) / 2 for the normal distribution.
struct Gelu {
    HWY_INLINE ValueAndSlope operator()(FloatTag d, FloatVec x) const {
        const FloatVec magnitude = hn::Abs(x);
        const FloatVec tail = upperTail(d, magnitude);
        const auto isNegative = hn::Lt(x, hn::Zero(d));
        const FloatVec phi = hn::IfThenElse(isNegative, tail, hn::Sub(hn::Set(d, 1.0F), tail));
        const FloatVec density = hn::Mul(hn::Set(d, 0.3989422804014327F), gaussian(d, magnitude));
        const FloatVec capped = hn::Min(hn::Set(d, 40.0F), hn::Max(hn::Set(d, -40.0F), x));
        return {hn::Mul(x, phi), hn::MulAdd(capped, density, phi)};
    }

private:
    static HWY_INLINE FloatVec gaussian(FloatTag d, FloatVec x) {
        return expVec(d, hn::Mul(hn::Set(d, -0.5F), hn::Mul(x, x)));
    }
    // erfc(x / sqrt 2) / 2 for x >= 0, as exp(-x^2/2) P(t), t = 1 / (1 + kSlope x); P is a Chebyshev fit of
    // degree 10 in t with a relative error of 1e-7.
    static HWY_INLINE FloatVec upperTail(FloatTag d, FloatVec x) {
        constexpr float kSlope = 0.25F;
        const FloatVec t = hn::Div(hn::Set(d, 1.0F), hn::MulAdd(hn::Set(d, kSlope), x, hn::Set(d, 1.0F)));
        FloatVec p = hn::Set(d, 0.0208148884F);
        p = hn::MulAdd(p, t, hn::Set(d, -0.0853892299F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.103798858F));
        p = hn::MulAdd(p, t, hn::Set(d, -0.0397468634F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.0682739957F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.0574462582F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.0818896318F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.0934395147F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.0997373968F));
        p = hn::MulAdd(p, t, hn::Set(d, 0.099735561F));
        return hn::Mul(gaussian(d, x), hn::Mul(p, t));
    }
};

// A NaN stays one: the maximum takes its second operand then.
struct Relu {
    HWY_INLINE ValueAndSlope operator()(FloatTag d, FloatVec x) const {
        const FloatVec zero = hn::Zero(d);
        return {hn::Max(zero, x), hn::IfThenElseZero(hn::Gt(x, zero), hn::Set(d, 1.0F))};
    }
};

struct Sigmoid {
    HWY_INLINE ValueAndSlope operator()(FloatTag d, FloatVec x) const {
        const FloatVec s = sigmoidVec(d, x);
        return {s, hn::Mul(s, hn::Sub(hn::Set(d, 1.0F), s))};
    }
};

// Calls f with the functor of an activation.
template <class F>
HWY_INLINE void withActivation(Activation activation, const F& f) {
    switch (activation) {
        case Activation::Silu: return f(Silu{});
        case Activation::Gelu: return f(Gelu{});
        case Activation::GeluTanh: return f(GeluTanh{});
        case Activation::Relu: return f(Relu{});
        case Activation::Sigmoid: return f(Sigmoid{});
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
