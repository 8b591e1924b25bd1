// SPDX-License-Identifier: Apache-2.0
// out[p] = w[a] x[a / k];  out[t] = sum_j w[t, j] rows[slots[t, j]];  dW[t, j] = dOut[t] . rows[slots[t, j]]
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE float weightAt(const ConstView& weights, int64_t index) {
    if (!weights.isPresent()) return 1.0F;
    if (weights.dtype == DType::BF16) return static_cast<float>(weights.as<BFloat16>()[index]);
    return weights.as<float>()[index];
}

template <class T>
void gatherRange(const GatherRowsArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const int64_t columns = args.x.shape[1];
    const auto count = static_cast<size_t>(columns);
    for (int64_t p = begin; p < end; ++p) {
        const int64_t assignment = args.assignments.isPresent() ? args.assignments.as<int32_t>()[p] : p;
        const T* x = args.x.as<T>() + assignment / args.rowsPerSource * columns;
        T* out = args.out.as<T>() + p * columns;
        if (!args.weights.isPresent()) {
            std::memcpy(static_cast<void*>(out), x, count * sizeof(T));
            continue;
        }
        const FloatVec weight = hn::Set(d, weightAt(args.weights, assignment));
        forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::Mul(weight, load(d, x + i, part)), d, out + i, part);
        });
    }
}

template <class T>
void combineRange(const CombineRowsArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const int64_t columns = args.rows.shape[1];
    const int64_t slots = args.slots.shape[1];
    for (int64_t t = begin; t < end; ++t) {
        T* out = args.out.as<T>() + t * columns;
        const int32_t* slotsOfRow = args.slots.as<int32_t>() + t * slots;
        forVectors(static_cast<size_t>(columns), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            FloatVec sum = hn::Zero(d);
            for (int64_t j = 0; j < slots; ++j) {
                const T* row = args.rows.as<T>() + slotsOfRow[j] * columns;
                sum = hn::MulAdd(hn::Set(d, weightAt(args.weights, t * slots + j)), load(d, row + i, part), sum);
            }
            store(sum, d, out + i, part);
        });
    }
}

template <class T>
void weightRange(const CombineRowsBackwardWeightsArgs& args, int64_t begin, int64_t end) {
    const int64_t columns = args.rows.shape[1];
    const int64_t slots = args.dWeights.shape[1];
    for (int64_t j = begin * slots; j < end * slots; ++j) {
        const int64_t row = args.slots.isPresent() ? args.slots.as<int32_t>()[j] : j;
        const float dot = dotVec(args.dOut.as<T>() + j / slots * columns, args.rows.as<T>() + row * columns,
                                 static_cast<size_t>(columns));
        if (args.dWeights.dtype == DType::BF16) {
            args.dWeights.as<BFloat16>()[j] = BFloat16(dot);
        } else {
            args.dWeights.as<float>()[j] = dot;
        }
    }
}

}  // namespace

void GatherRowRange(const GatherRowsArgs& args, int64_t begin, int64_t end) {
    args.x.dtype == DType::BF16 ? gatherRange<BFloat16>(args, begin, end) : gatherRange<float>(args, begin, end);
}

void CombineRowRange(const CombineRowsArgs& args, int64_t begin, int64_t end) {
    args.rows.dtype == DType::BF16 ? combineRange<BFloat16>(args, begin, end) : combineRange<float>(args, begin, end);
}

void CombineWeightRange(const CombineRowsBackwardWeightsArgs& args, int64_t begin, int64_t end) {
    args.rows.dtype == DType::BF16 ? weightRange<BFloat16>(args, begin, end) : weightRange<float>(args, begin, end);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(GatherRowRange);
HWY_EXPORT(CombineRowRange);
HWY_EXPORT(CombineWeightRange);

void gatherRows(const Context& context, const GatherRowsArgs& args) {
    if (args.x.dtype == DType::F64) return reference::gatherRows(context, args);
    parallelFor(context, args.out.shape[0], args.out.shape[1], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(GatherRowRange)(args, begin, end);
    });
}

void combineRows(const Context& context, const CombineRowsArgs& args) {
    if (args.rows.dtype == DType::F64) return reference::combineRows(context, args);
    parallelFor(context, args.out.shape[0], args.slots.shape[1] * args.out.shape[1], [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(CombineRowRange)(args, begin, end);
    });
}

void combineRowsBackwardWeights(const Context& context, const CombineRowsBackwardWeightsArgs& args) {
    if (args.rows.dtype == DType::F64) return reference::combineRowsBackwardWeights(context, args);
    parallelFor(context, args.dWeights.shape[0], args.dWeights.shape[1] * args.rows.shape[1],
                [&](int64_t begin, int64_t end) {
                    HWY_DYNAMIC_DISPATCH(CombineWeightRange)
                    (args, begin, end);
                });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
