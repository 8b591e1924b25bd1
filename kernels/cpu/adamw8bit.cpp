// SPDX-License-Identifier: Apache-2.0
// AdamW with moments in eight bits: m and v of a block of 256 are widened, stepped, used, and rounded again by the
// largest magnitude of the new ones. Formulas in kernels/adamw8bit.h, levels in kernels/base/dynamic_map.h.
#include "kernels/base/dynamic_map.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/adamw8bit.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/adamw_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

using IntTag = hn::RebindToSigned<FloatTag>;
using IntVec = hn::Vec<IntTag>;

constexpr auto kBlock = static_cast<size_t>(kMomentBlock);

// x in [0, 1] -> code of the nearest level.
HWY_INLINE IntVec codesOf(const DynamicMap& map, FloatVec x) {
    const FloatTag d;
    FloatVec factor = hn::Set(d, map.factors[0]);
    FloatVec offset = hn::Set(d, map.offsets[0]);
    for (size_t k = 1; k < DynamicMap::kDecades; ++k) {
        const auto isAbove = hn::Gt(x, hn::Set(d, map.ends[k - 1]));
        factor = hn::IfThenElse(isAbove, hn::Set(d, map.factors[k]), factor);
        offset = hn::IfThenElse(isAbove, hn::Set(d, map.offsets[k]), offset);
    }
    return hn::NearestInt(hn::MulAdd(x, factor, offset));
}

struct BlockScale {
    float scale;
    float inverse;  // 0 where everything counts as zero
};

// From the largest magnitude and what is NaN if a value was not finite, so that a broken block stays visible.
HWY_INLINE BlockScale scaleOf(FloatVec largest, FloatVec broken) {
    const FloatTag d;
    const float scale = maxLanes(d, largest) + sumLanes(d, broken);
    if (scale < kSmallestMoment) return {0.0F, 0.0F};
    return {scale, 1.0F / scale};
}

// The new moments of a block, as floats.
struct Moments {
    HWY_ALIGN float m[kBlock];
    HWY_ALIGN float v[kBlock];
};

void encodeBlock(const Moments& moments, size_t count, const AdamW8bitArgs& args, int64_t block) {
    const FloatTag d;
    const IntTag di;
    const size_t lanes = hn::Lanes(d);
    FloatVec largestM = hn::Zero(d);
    FloatVec largestV = hn::Zero(d);
    FloatVec broken = hn::Zero(d);
    for (size_t i = 0; i < count; i += lanes) {
        const FloatVec m = hn::Load(d, moments.m + i);
        const FloatVec v = hn::Load(d, moments.v + i);
        largestM = hn::Max(largestM, hn::Abs(m));
        largestV = hn::Max(largestV, v);
        broken = hn::MulAdd(hn::Add(m, v), hn::Zero(d), broken);
    }
    const BlockScale scaleM = scaleOf(largestM, broken);
    const BlockScale scaleV = scaleOf(largestV, broken);
    args.mScales.as<float>()[block] = scaleM.scale;
    args.vScales.as<float>()[block] = scaleV.scale;
    HWY_ALIGN int8_t codesM[kBlock];
    HWY_ALIGN uint8_t codesV[kBlock];
    for (size_t i = 0; i < count; i += lanes) {
        const FloatVec m = hn::Mul(hn::Load(d, moments.m + i), hn::Set(d, scaleM.inverse));
        const FloatVec v = hn::Mul(hn::Load(d, moments.v + i), hn::Set(d, scaleV.inverse));
        const IntVec magnitude = codesOf(kSignedMoments, hn::Abs(m));
        const auto isNegative = hn::RebindMask(di, hn::Lt(m, hn::Zero(d)));
        const IntVec code = hn::IfThenElse(isNegative, hn::Neg(magnitude), magnitude);
        hn::StoreU(hn::DemoteTo(hn::Rebind<int8_t, FloatTag>(), code), hn::Rebind<int8_t, FloatTag>(), codesM + i);
        // Rounded to zero, a small v would let its weight jump: whatever is not zero stays above.
        const auto isThere = hn::RebindMask(di, hn::Gt(v, hn::Zero(d)));
        const IntVec least = hn::IfThenElseZero(isThere, hn::Set(di, 1));
        const IntVec codeV = hn::Max(codesOf(kUnsignedMoments, v), least);
        hn::StoreU(hn::DemoteTo(hn::Rebind<uint8_t, FloatTag>(), codeV), hn::Rebind<uint8_t, FloatTag>(), codesV + i);
    }
    std::memcpy(args.m.as<int8_t>() + block * kMomentBlock, codesM, count);
    std::memcpy(args.v.as<uint8_t>() + block * kMomentBlock, codesV, count);
}

template <class T>
void updateBlock(const AdamW8bitArgs& args, const AdamWFactors& f, int64_t block) {
    const FloatTag d;
    const IntTag di;
    const size_t lanes = hn::Lanes(d);
    const auto first = static_cast<size_t>(block) * kBlock;
    const size_t count = std::min(kBlock, static_cast<size_t>(args.parameter.shape.count()) - first);
    HWY_ALIGN int8_t codesM[kBlock] = {};
    HWY_ALIGN uint8_t codesV[kBlock] = {};
    std::memcpy(codesM, args.m.as<int8_t>() + first, count);
    std::memcpy(codesV, args.v.as<uint8_t>() + first, count);
    const float kept = keptOfWeight(args.learningRate, args.weightDecay);
    const FloatVec scaleM = hn::Set(d, args.mScales.as<float>()[block]);
    const FloatVec scaleV = hn::Set(d, args.vScales.as<float>()[block]);
    const float* gradient = args.gradient.as<float>() + first;
    T* parameter = args.parameter.as<T>() + first;
    float* master = nullptr;
    if constexpr (std::is_same_v<T, float>) {
        master = parameter;
    } else {
        master = args.master.as<float>() + first;
    }
    Moments moments;
    forVectors(count, lanes, [&](size_t i, auto part) HWY_ATTR {
        const IntVec codeM = hn::PromoteTo(di, hn::LoadU(hn::Rebind<int8_t, FloatTag>(), codesM + i));
        const IntVec codeV = hn::PromoteTo(di, hn::LoadU(hn::Rebind<uint8_t, FloatTag>(), codesV + i));
        FloatVec m =
            hn::Mul(scaleM, hn::GatherIndex(d, kSignedMoments.levels.data(), hn::Add(codeM, hn::Set(di, 128))));
        FloatVec v = hn::Mul(scaleV, hn::GatherIndex(d, kUnsignedMoments.levels.data(), codeV));
        FloatVec w = load(d, master + i, part);
        adamWStep(f, kept, load(d, gradient + i, part), m, v, w);
        // Lanes behind the end have gradient and codes of zero: their moments are zero and bind no scale.
        hn::Store(m, d, moments.m + i);
        hn::Store(v, d, moments.v + i);
        store(w, d, master + i, part);
        if constexpr (!std::is_same_v<T, float>) store(w, d, parameter + i, part);
    });
    encodeBlock(moments, count, args, block);
}

}  // namespace

void AdamW8bitBlocks(const AdamW8bitArgs& args, const AdamWFactors& factors, int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
        if (args.parameter.dtype == DType::BF16) {
            updateBlock<BFloat16>(args, factors, block);
        } else {
            updateBlock<float>(args, factors, block);
        }
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(AdamW8bitBlocks);

void adamW8bit(const Context& context, const AdamW8bitArgs& args) {
    const AdamWFactors factors = adamWFactors(args);
    if (!std::isfinite(factors.gradientScale)) return;
    const int64_t blocks = args.mScales.shape[0];
    parallelFor(context, blocks, 4 * kMomentBlock, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(AdamW8bitBlocks)(args, factors, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
