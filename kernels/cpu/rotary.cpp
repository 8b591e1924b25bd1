// SPDX-License-Identifier: Apache-2.0
// Half: (a, b) = (x[i], x[i + R/2]); interleaved: (x[2i], x[2i + 1]).
// out = (a cos - b sin, b cos + a sin) * magnitude with the angle position * frequency[i], negated for backward.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rotary.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Pairs whose sines are kept at a time. Larger heads go in several passes.
constexpr size_t kMaxPairs = 128;
// Range in which Highway's sine stays within 3 ulp; positions beyond it take the C library's.
constexpr float kMaxVectorAngle = 39000.0F;

struct Angles {
    HWY_ALIGN float cosine[kMaxPairs + kMaxLanes];
    HWY_ALIGN float sine[kMaxPairs + kMaxLanes];
};

void fillAngles(const RotaryArgs& args, int32_t position, size_t firstPair, size_t pairs, Angles& angles) {
    const FloatTag d;
    const float* frequency = args.frequencies.as<float>() + firstPair;
    const float sign = args.direction == RotaryDirection::Forward ? 1.0F : -1.0F;
    const auto p = static_cast<float>(position);
    const FloatVec magnitude = hn::Set(d, args.magnitude);
    const FloatVec signedMagnitude = hn::Set(d, sign * args.magnitude);
    forVectors(pairs, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec angle = hn::Mul(hn::Set(d, p), load(d, frequency + i, part));
        hn::StoreU(hn::Mul(hn::Cos(d, angle), magnitude), d, angles.cosine + i);
        hn::StoreU(hn::Mul(hn::Sin(d, angle), signedMagnitude), d, angles.sine + i);
    });
    for (size_t i = 0; i < pairs; ++i) {
        const float angle = p * frequency[i];
        if (std::abs(angle) <= kMaxVectorAngle) continue;
        angles.cosine[i] = std::cos(angle) * args.magnitude;
        angles.sine[i] = std::sin(angle) * sign * args.magnitude;
    }
}

template <class T>
void rotateHalves(const T* x, T* out, size_t distance, size_t pairs, const Angles& angles) {
    const FloatTag d;
    forVectors(pairs, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const FloatVec a = load(d, x + i, part);
        const FloatVec b = load(d, x + distance + i, part);
        const FloatVec cosine = hn::LoadU(d, angles.cosine + i);
        const FloatVec sine = hn::LoadU(d, angles.sine + i);
        store(hn::NegMulAdd(b, sine, hn::Mul(a, cosine)), d, out + i, part);
        store(hn::MulAdd(a, sine, hn::Mul(b, cosine)), d, out + distance + i, part);
    });
}

template <class T>
void rotateNeighbours(const T* x, T* out, size_t pairs, const Angles& angles) {
    for (size_t i = 0; i < pairs; ++i) {
        const auto a = static_cast<float>(x[2 * i]);
        const auto b = static_cast<float>(x[2 * i + 1]);
        out[2 * i] = T(a * angles.cosine[i] - b * angles.sine[i]);
        out[2 * i + 1] = T(b * angles.cosine[i] + a * angles.sine[i]);
    }
}

template <class T>
void rotateToken(const RotaryArgs& args, int64_t t, Angles& angles) {
    const auto heads = static_cast<size_t>(args.x.shape[1]);
    const auto headDim = static_cast<size_t>(args.x.shape[2]);
    const auto allPairs = static_cast<size_t>(args.frequencies.shape[0]);
    const size_t row = static_cast<size_t>(t) * heads * headDim;
    const T* x = args.x.as<T>() + row;
    T* out = args.out.as<T>() + row;
    for (size_t first = 0; first < allPairs; first += kMaxPairs) {
        const size_t pairs = std::min(kMaxPairs, allPairs - first);
        fillAngles(args, args.positions.as<int32_t>()[t], first, pairs, angles);
        for (size_t h = 0; h < heads; ++h) {
            if (args.layout == RotaryLayout::Half) {
                rotateHalves(x + h * headDim + first, out + h * headDim + first, allPairs, pairs, angles);
            } else {
                rotateNeighbours(x + h * headDim + 2 * first, out + h * headDim + 2 * first, pairs, angles);
            }
        }
    }
    const size_t rotated = 2 * allPairs;
    if (x == out || rotated == headDim) return;
    for (size_t h = 0; h < heads; ++h) {
        std::memcpy(static_cast<void*>(out + h * headDim + rotated), x + h * headDim + rotated,
                    (headDim - rotated) * sizeof(T));
    }
}

}  // namespace

void RotateTokens(const RotaryArgs& args, int64_t begin, int64_t end) {
    Angles angles;
    for (int64_t t = begin; t < end; ++t) {
        if (args.x.dtype == DType::BF16) {
            rotateToken<BFloat16>(args, t, angles);
        } else {
            rotateToken<float>(args, t, angles);
        }
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(RotateTokens);

void rotary(const Context& context, const RotaryArgs& args) {
    if (args.x.dtype == DType::F64) return reference::rotary(context, args);
    parallelFor(context, args.x.shape[0], args.x.shape[1] * args.x.shape[2], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(RotateTokens)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
