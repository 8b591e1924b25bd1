// SPDX-License-Identifier: Apache-2.0
// What every SIMD kernel shares. Included once per Highway target (per-target include guard), after highway.h.
//
// Kernels are written once over "full vectors, then one partial vector":
//   forVectors(count, Lanes(d), [&](size_t i, auto part) HWY_ATTR { store(load(d, x + i, part), d, out + i, part); });
// Storage is float or BFloat16; registers are always float. Missing lanes of a partial load are zero.

#if defined(WB_KERNELS_CPU_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WB_KERNELS_CPU_SIMD_INL_H
#undef WB_KERNELS_CPU_SIMD_INL_H
#else
#define WB_KERNELS_CPU_SIMD_INL_H
#endif

#include "kernels/base/float_formats.h"

#include <hwy/highway.h>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;
// Vectors of any target fit into arrays of this length.
inline constexpr size_t kMaxLanes = HWY_MAX_BYTES / sizeof(float);

struct Full {};
struct Part {
    size_t count;  // valid lanes, fewer than a vector has
};

// Calls body(i, Full) for each whole vector of `lanes` elements and body(i, Part) for the rest, in order.
template <class Body>
HWY_INLINE void forVectors(size_t count, size_t lanes, const Body& body) {
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) body(i, Full{});
    if (i < count) body(i, Part{count - i});
}

HWY_INLINE FloatVec widenBf16(FloatTag /*d*/, hn::Vec<hn::Rebind<uint16_t, FloatTag>> half) {
    const hn::RebindToUnsigned<FloatTag> du;
    return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(hn::PromoteTo(du, half)));
}

// Rounds to nearest even; NaN stays NaN.
template <class D>
HWY_INLINE hn::Vec<hn::Rebind<uint16_t, D>> narrowBf16(D /*d*/, hn::Vec<D> v) {
    const hn::RebindToUnsigned<D> du;
    const hn::RebindToSigned<D> di;
    const hn::Rebind<uint16_t, D> dh;
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1U));
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffU))));
    const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(du, 0x40U));
    const auto isNan = hn::RebindMask(du, hn::IsNaN(v));  // not Ne: it is false for a NaN
    return hn::DemoteTo(dh, hn::BitCast(di, hn::IfThenElse(isNan, quiet, rounded)));
}

HWY_INLINE FloatVec load(FloatTag d, const float* p, Full /*part*/ = {}) {
    return hn::LoadU(d, p);
}
HWY_INLINE FloatVec load(FloatTag d, const BFloat16* p, Full /*part*/ = {}) {
    const hn::Rebind<uint16_t, FloatTag> dh;
    return widenBf16(d, hn::LoadU(dh, reinterpret_cast<const uint16_t*>(p)));
}
// Goes through a buffer because masked loads may touch memory behind the end on older instruction sets.
HWY_INLINE FloatVec load(FloatTag d, const float* p, Part part) {
    HWY_ALIGN float lanes[kMaxLanes] = {};
    std::memcpy(lanes, p, part.count * sizeof(float));
    return hn::Load(d, lanes);
}
HWY_INLINE FloatVec load(FloatTag d, const BFloat16* p, Part part) {
    const hn::Rebind<uint16_t, FloatTag> dh;
    HWY_ALIGN uint16_t lanes[kMaxLanes] = {};
    std::memcpy(lanes, p, part.count * sizeof(uint16_t));
    return widenBf16(d, hn::Load(dh, lanes));
}

HWY_INLINE void store(FloatVec v, FloatTag d, float* p, Full /*part*/ = {}) {
    hn::StoreU(v, d, p);
}
HWY_INLINE void store(FloatVec v, FloatTag d, BFloat16* p, Full /*part*/ = {}) {
    const hn::Rebind<uint16_t, FloatTag> dh;
    hn::StoreU(narrowBf16(d, v), dh, reinterpret_cast<uint16_t*>(p));
}
HWY_INLINE void store(FloatVec v, FloatTag d, float* p, Part part) {
    HWY_ALIGN float lanes[kMaxLanes];
    hn::Store(v, d, lanes);
    std::memcpy(p, lanes, part.count * sizeof(float));
}
HWY_INLINE void store(FloatVec v, FloatTag d, BFloat16* p, Part part) {
    const hn::Rebind<uint16_t, FloatTag> dh;
    HWY_ALIGN uint16_t lanes[kMaxLanes];
    hn::Store(narrowBf16(d, v), dh, lanes);
    std::memcpy(static_cast<void*>(p), lanes, part.count * sizeof(uint16_t));
}

// Replaces the lanes of a partial vector that hold no element, for reductions where zero is not neutral.
HWY_INLINE FloatVec fillRest(FloatTag /*d*/, FloatVec v, Full /*part*/, float /*neutral*/) {
    return v;
}
HWY_INLINE FloatVec fillRest(FloatTag d, FloatVec v, Part part, float neutral) {
    return hn::IfThenElse(hn::FirstN(d, part.count), v, hn::Set(d, neutral));
}

HWY_INLINE float sumLanes(FloatTag d, FloatVec v) {
    return hn::GetLane(hn::SumOfLanes(d, v));
}
HWY_INLINE float maxLanes(FloatTag d, FloatVec v) {
    return hn::GetLane(hn::MaxOfLanes(d, v));
}

// e^x with about 1 ulp error. Below -87.3 the result is 0, above 88.8 infinity; NaN stays NaN, so that a broken value
// is never hidden. Method: x = n ln 2 + r with |r| <= ln 2 / 2, Taylor polynomial of degree 7 of e^r (truncation below
// 2^-27), scaled by 2^n in two steps because 2^128 is no float.
HWY_INLINE FloatVec expVec(FloatTag d, FloatVec x) {
    const hn::RebindToSigned<FloatTag> di;
    const FloatVec clamped = hn::Min(hn::Set(d, 89.0F), hn::Max(hn::Set(d, -104.0F), x));  // keeps NaN (second operand)
    const FloatVec n = hn::Round(hn::Mul(clamped, hn::Set(d, 1.44269504088896341F)));
    FloatVec r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125F), clamped);  // ln 2, upper bits: n times it is exact
    r = hn::NegMulAdd(n, hn::Set(d, 1.42860682030941723212e-6F), r);
    FloatVec p = hn::Set(d, 1.98412698e-4F);
    p = hn::MulAdd(p, r, hn::Set(d, 1.38888889e-3F));
    p = hn::MulAdd(p, r, hn::Set(d, 8.33333333e-3F));
    p = hn::MulAdd(p, r, hn::Set(d, 4.16666667e-2F));
    p = hn::MulAdd(p, r, hn::Set(d, 1.66666667e-1F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.5F));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
    const auto whole = hn::ConvertTo(di, n);
    const auto half = hn::ShiftRight<1>(whole);
    const auto bias = hn::Set(di, 127);
    const FloatVec scale1 = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
    const FloatVec scale2 = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), bias)));
    const FloatVec result = hn::Mul(hn::Mul(p, scale1), scale2);
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3F)), result);
}

// 1 / (1 + e^-x).
HWY_INLINE FloatVec sigmoidVec(FloatTag d, FloatVec x) {
    const FloatVec one = hn::Set(d, 1.0F);
    return hn::Div(one, hn::Add(one, expVec(d, hn::Neg(x))));
}

// e^x for x <= 88 with about 1 ulp error; 0 below -87.3; NaN stays NaN. x = n ln 2 + r, |r| <= ln 2 / 2; the polynomial
// of degree 6 has the least relative error over that range (2e-9). Adding 1.5 * 2^23 rounds to a whole number and
// leaves it in the low bits, here with the bias of the exponent.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V expSmall(D d, V x) {
    const hn::RebindToSigned<D> di;
    const V rounder = hn::Set(d, 12582912.0F + 127.0F);
    const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504088896341F), rounder);
    const V n = hn::Sub(shifted, rounder);
    V r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125F), x);  // ln 2, upper bits: n times it is exact
    r = hn::NegMulAdd(n, hn::Set(d, 1.42860682030941723212e-6F), r);
    V p = hn::Set(d, 1.3836794532835484e-3F);
    p = hn::MulAdd(p, r, hn::Set(d, 8.374856784939766e-3F));
    p = hn::MulAdd(p, r, hn::Set(d, 4.1668228805065155e-2F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.16666419804096222F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.49999991059303284F));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
    const auto power = hn::ShiftLeft<23>(hn::BitCast(di, shifted));
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3F)), hn::Mul(p, hn::BitCast(d, power)));
}

// tanh with about 2 ulp error: odd Taylor series near 0, where 1 - e^-2|x| would lose digits.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanhVec(D d, V x) {
    const V square = hn::Mul(x, x);
    V series = hn::Set(d, 62.0F / 2835.0F);
    series = hn::MulAdd(series, square, hn::Set(d, -17.0F / 315.0F));
    series = hn::MulAdd(series, square, hn::Set(d, 2.0F / 15.0F));
    series = hn::MulAdd(series, square, hn::Set(d, -1.0F / 3.0F));
    series = hn::MulAdd(hn::Mul(series, square), x, x);
    const V magnitude = hn::Abs(x);
    const V e = expSmall(d, hn::Mul(magnitude, hn::Set(d, -2.0F)));
    const V one = hn::Set(d, 1.0F);
    const V far = hn::CopySign(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x);
    return hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, 0.25F)), series, far);
}

// Sum of x[i] * y[i] in float, one accumulator a lane and a fixed order.
template <class X, class Y>
HWY_INLINE float dotVec(const X* HWY_RESTRICT x, const Y* HWY_RESTRICT y, size_t count) {
    const FloatTag d;
    FloatVec sum = hn::Zero(d);
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        sum = hn::MulAdd(load(d, x + i, part), load(d, y + i, part), sum);
    });
    return sumLanes(d, sum);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
