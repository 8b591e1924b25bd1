// SPDX-License-Identifier: Apache-2.0
// add, scale, soft cap, fill, cast, dropout: one pass over memory each.
#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void addRange(const AddArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const T* a = args.a.as<T>() + begin;
    const T* b = args.b.as<T>() + begin;
    T* out = args.out.as<T>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Add(load(d, a + i, part), load(d, b + i, part)), d, out + i, part);
    });
}

template <class In, class Out>
void scaleRange(const ScaleArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const FloatVec factor = hn::Set(d, args.factor);
    const In* x = args.x.as<In>() + begin;
    Out* out = args.out.as<Out>() + begin;
    const auto count = static_cast<size_t>(end - begin);
    if (args.accumulates) {
        forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::MulAdd(load(d, x + i, part), factor, load(d, out + i, part)), d, out + i, part);
        });
    } else {
        forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::Mul(load(d, x + i, part), factor), d, out + i, part);
        });
    }
}

template <class T>
void softCapRange(const SoftCapArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const FloatVec cap = hn::Set(d, args.cap);
    const FloatVec inverse = hn::Set(d, 1.0F / args.cap);
    const T* x = args.x.as<T>() + begin;
    T* out = args.out.as<T>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Mul(cap, tanhVec(d, hn::Mul(load(d, x + i, part), inverse))), d, out + i, part);
    });
}

template <class In, class Out>
void castRange(const CastArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const In* x = args.x.as<In>() + begin;
    Out* out = args.out.as<Out>() + begin;
    forVectors(static_cast<size_t>(end - begin), hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(load(d, x + i, part), d, out + i, part); });
}

using WordTag = hn::ScalableTag<uint64_t>;
inline constexpr size_t kMaxWords = 4 * HWY_MAX_BYTES / sizeof(uint64_t);

#if HWY_TARGET == HWY_SCALAR
void philoxWords(uint64_t seed, uint64_t block, uint32_t* words) {
    const PhiloxBlock made = philoxBlock(seed, block);
    std::copy(made.begin(), made.end(), words);
}
#else

// Words 4 * block .. of the stream of `seed`, four for each 64-bit lane: philoxBlock with a block in every lane. The
// upper halves of the lanes hold leftovers; products and the final truncation look at the lower ones only.
void philoxWords(uint64_t seed, uint64_t block, uint32_t* words) {
    const WordTag dw;
    const hn::Repartition<uint32_t, WordTag> du;
    const hn::Rebind<uint32_t, WordTag> dn;
    const auto multiplier0 = hn::Set(du, 0xD2511F53U);
    const auto multiplier1 = hn::Set(du, 0xCD9E8D57U);
    auto c0 = hn::Iota(dw, block);
    auto c1 = hn::ShiftRight<32>(c0);
    auto c2 = hn::Zero(dw);
    auto c3 = hn::Zero(dw);
    auto key0 = static_cast<uint32_t>(seed);
    auto key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const auto product0 = hn::MulEven(hn::BitCast(du, c0), multiplier0);
        const auto product1 = hn::MulEven(hn::BitCast(du, c2), multiplier1);
        c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), hn::Set(dw, key0));
        c1 = product1;
        c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), hn::Set(dw, key1));
        c3 = product0;
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    hn::StoreInterleaved4(hn::TruncateTo(dn, c0), hn::TruncateTo(dn, c1), hn::TruncateTo(dn, c2),
                          hn::TruncateTo(dn, c3), dn, words);
}
#endif

template <class T, class Tail>
HWY_INLINE void dropVector(const T* x, const uint32_t* words, T* out, FloatVec p, FloatVec keepScale, Tail part) {
    const FloatTag d;
    const hn::RebindToUnsigned<FloatTag> du;
    const hn::RebindToSigned<FloatTag> di;
    const auto bits = hn::ShiftRight<8>(hn::LoadU(du, words));
    const FloatVec unit = hn::Mul(hn::ConvertTo(d, hn::BitCast(di, bits)), hn::Set(d, 0x1p-24F));
    store(hn::IfThenZeroElse(hn::Lt(unit, p), hn::Mul(load(d, x, part), keepScale)), d, out, part);
}

template <class T>
void dropoutRange(const DropoutArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const FloatVec p = hn::Set(d, args.p);
    const FloatVec keepScale = hn::Set(d, 1.0F / (1.0F - args.p));
    const size_t batch = 4 * hn::Lanes(WordTag());
    HWY_ALIGN uint32_t words[2 * kMaxWords];  // the last vector may reach behind the words in use
    std::memset(words, 0, sizeof(words));
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end);) {
        // Batches start with a whole block of the generator, the first of them perhaps in its middle.
        const uint64_t draw = args.offset + i;
        const size_t skipped = draw % 4;
        philoxWords(args.seed, draw / 4, words);
        const size_t count = std::min(batch - skipped, static_cast<size_t>(end) - i);
        const T* x = args.x.as<T>() + i;
        T* out = args.out.as<T>() + i;
        forVectors(count, hn::Lanes(d), [&](size_t k, auto part) HWY_ATTR {
            dropVector(x + k, words + skipped + k, out + k, p, keepScale, part);
        });
        i += count;
    }
}

}  // namespace

void AddRange(const AddArgs& args, int64_t begin, int64_t end) {
    args.a.dtype == DType::BF16 ? addRange<BFloat16>(args, begin, end) : addRange<float>(args, begin, end);
}

void ScaleRange(const ScaleArgs& args, int64_t begin, int64_t end) {
    if (args.x.dtype == DType::F32) {
        scaleRange<float, float>(args, begin, end);
    } else if (args.out.dtype == DType::F32) {
        scaleRange<BFloat16, float>(args, begin, end);
    } else {
        scaleRange<BFloat16, BFloat16>(args, begin, end);
    }
}

void SoftCapRange(const SoftCapArgs& args, int64_t begin, int64_t end) {
    args.x.dtype == DType::BF16 ? softCapRange<BFloat16>(args, begin, end) : softCapRange<float>(args, begin, end);
}

// Between F32 and BF16, the conversions of every step.
void CastRange(const CastArgs& args, int64_t begin, int64_t end) {
    if (args.x.dtype == DType::F32) {
        castRange<float, BFloat16>(args, begin, end);
    } else {
        castRange<BFloat16, float>(args, begin, end);
    }
}

void DropoutRange(const DropoutArgs& args, int64_t begin, int64_t end) {
    args.x.dtype == DType::BF16 ? dropoutRange<BFloat16>(args, begin, end) : dropoutRange<float>(args, begin, end);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(AddRange);
HWY_EXPORT(ScaleRange);
HWY_EXPORT(SoftCapRange);
HWY_EXPORT(CastRange);
HWY_EXPORT(DropoutRange);

namespace {

// Conversions that happen once, at load or export.
template <class In, class Out>
Out convert(In value) {
    if constexpr (std::is_same_v<Out, double>) {
        if constexpr (std::is_same_v<In, double>)
            return value;
        else
            return static_cast<double>(static_cast<float>(value));
    } else {
        return Out(static_cast<float>(value));
    }
}

template <class F>
void withFloatType(DType dtype, F&& f) {
    switch (dtype) {
        case DType::F64: return f.template operator()<double>();
        case DType::F32: return f.template operator()<float>();
        case DType::F16: return f.template operator()<Float16>();
        case DType::BF16: return f.template operator()<BFloat16>();
        default: break;
    }
    WB_CHECK(false, "cast checks its types");
}

bool isFastCast(const CastArgs& args) {
    return (args.x.dtype == DType::F32 && args.out.dtype == DType::BF16) ||
           (args.x.dtype == DType::BF16 && args.out.dtype == DType::F32);
}

}  // namespace

void add(const Context& context, const AddArgs& args) {
    if (args.a.dtype == DType::F64) return reference::add(context, args);
    parallelFor(context, args.a.shape.count(), 1, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(AddRange)(args, begin, end);
    });
}

void scale(const Context& context, const ScaleArgs& args) {
    if (args.x.dtype == DType::F64) return reference::scale(context, args);
    parallelFor(context, args.x.shape.count(), 1, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(ScaleRange)(args, begin, end);
    });
}

void softCap(const Context& context, const SoftCapArgs& args) {
    if (args.x.dtype == DType::F64) return reference::softCap(context, args);
    parallelFor(context, args.x.shape.count(), 8, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(SoftCapRange)(args, begin, end);
    });
}

void fill(const Context& context, const FillArgs& args) {
    const auto fillAs = [&](auto value) {
        auto* out = args.out.as<decltype(value)>();
        parallelFor(context, args.out.shape.count(), 1,
                    [&](int64_t begin, int64_t end) { std::fill(out + begin, out + end, value); });
    };
    switch (args.out.dtype) {
        case DType::F64: return fillAs(static_cast<double>(args.value));
        case DType::BF16: return fillAs(BFloat16(args.value));
        case DType::I32: return fillAs(static_cast<int32_t>(args.value));
        case DType::I8: return fillAs(static_cast<int8_t>(args.value));
        case DType::U8: return fillAs(static_cast<uint8_t>(args.value));
        default: return fillAs(args.value);
    }
}

void cast(const Context& context, const CastArgs& args) {
    if (isFastCast(args)) {
        return parallelFor(context, args.x.shape.count(), 1, [&](int64_t begin, int64_t end) {
            HWY_DYNAMIC_DISPATCH(CastRange)(args, begin, end);
        });
    }
    withFloatType(args.x.dtype, [&]<class In>() {
        withFloatType(args.out.dtype, [&]<class Out>() {
            const In* x = args.x.as<In>();
            Out* out = args.out.as<Out>();
            parallelFor(context, args.x.shape.count(), 4, [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) out[i] = convert<In, Out>(x[i]);
            });
        });
    });
}

void dropout(const Context& context, const DropoutArgs& args) {
    if (args.x.dtype == DType::F64) return reference::dropout(context, args);
    parallelFor(context, args.x.shape.count(), 8, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(DropoutRange)(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
