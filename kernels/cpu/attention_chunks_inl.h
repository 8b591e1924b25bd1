// SPDX-License-Identifier: Apache-2.0
// SIMD pieces of memory_efficient attention, whose lanes are the keys of one row of scores. Included once per Highway
// target, after highway.h.

#if defined(WB_KERNELS_CPU_ATTENTION_CHUNKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WB_KERNELS_CPU_ATTENTION_CHUNKS_INL_H
#undef WB_KERNELS_CPU_ATTENTION_CHUNKS_INL_H
#else
#define WB_KERNELS_CPU_ATTENTION_CHUNKS_INL_H
#endif

#include "kernels/cpu/attention_chunks.h"
#include "kernels/cpu/simd_inl.h"

#include <hwy/highway.h>
#include <algorithm>
#include <limits>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr float kHidden = -std::numeric_limits<float>::infinity();

// to[i] = factor * from[i]
template <class From, class To>
HWY_INLINE void convertRow(const From* from, float factor, To* to, size_t width) {
    const FloatTag d;
    const auto by = hn::Set(d, factor);
    forVectors(width, hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { store(hn::Mul(load(d, from + i, part), by), d, to + i, part); });
}

// Rows of a packed tensor side by side as float, [count, width]; rowAt(r) points to row r.
template <class RowAt>
void packRows(int64_t count, int64_t width, float* out, const RowAt& rowAt) {
    for (int64_t r = 0; r < count; ++r) convertRow(rowAt(r), 1.0F, out + r * width, static_cast<size_t>(width));
}

// Stored rows as an operand: F32 rows as they lie, others as a copy in `room`.
template <class T>
ChunkOperand chunkRows(const T* from, int64_t stride, int64_t count, int64_t width, float* room) {
    if constexpr (std::is_same_v<T, float>) {
        return {from, stride};
    } else {
        packRows(count, width, room, [=](int64_t r) { return from + r * stride; });
        return {room, width};
    }
}

// x += y, or a constant
template <class T>
HWY_INLINE void addRow(const T* y, float* x, int64_t count) {
    const FloatTag d;
    if (count <= 0) return;
    forVectors(static_cast<size_t>(count), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Add(load(d, x + i, part), load(d, y + i, part)), d, x + i, part);
    });
}
HWY_INLINE void addConstant(float value, float* x, int64_t count) {
    for (int64_t i = 0; i < count; ++i) x[i] += value;
}

HWY_INLINE float sumRow(const float* x, int64_t count) {
    const FloatTag d;
    if (count <= 0) return 0;
    auto sum = hn::Zero(d);
    forVectors(static_cast<size_t>(count), hn::Lanes(d),
               [&](size_t i, auto part) HWY_ATTR { sum = hn::Add(sum, load(d, x + i, part)); });
    return sumLanes(d, sum);
}

HWY_INLINE void multiplyRow(const float* factors, float* x, size_t count) {
    const FloatTag d;
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        store(hn::Mul(load(d, x + i, part), load(d, factors + i, part)), d, x + i, part);
    });
}

template <class T>
HWY_INLINE void addBiasOf(const T* bias, const Shape& shape, AttentionBias kind, const ChunkRow& row, float* scores) {
    const int64_t count = row.keys.end - row.keys.begin;
    if (kind == AttentionBias::Dense) {
        return addRow(bias + (row.head * shape[1] + row.token) * shape[2] + row.keys.begin, scores, count);
    }
    const TableSegments parts(row, shape[1]);
    const T* table = bias + row.head * shape[1];
    addConstant(static_cast<float>(table[0]), scores, parts.numLow);
    addRow(table + parts.firstEntry, scores + parts.numLow, parts.numMiddle);
    addConstant(static_cast<float>(table[shape[1] - 1]), scores + parts.numLow + parts.numMiddle, parts.numHigh);
}

// Products q k of the keys that the row sees become scores: soft cap, then bias. slopes (optional) = derivative of the
// soft cap.
HWY_INLINE void applyRowRules(const AttentionOptions& options, const ConstView& bias, const ChunkRow& row,
                              float* scores, float* slopes) {
    const FloatTag d;
    const auto count = static_cast<size_t>(row.keys.end - row.keys.begin);
    if (options.softCap > 0) {
        const auto inverse = hn::Set(d, 1.0F / options.softCap);
        forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            const auto t = tanhVec(d, hn::Mul(load(d, scores + i, part), inverse));
            store(hn::Mul(t, hn::Set(d, options.softCap)), d, scores + i, part);
            if (slopes != nullptr) store(hn::NegMulAdd(t, t, hn::Set(d, 1.0F)), d, slopes + i, part);
        });
    }
    if (options.bias == AttentionBias::None) return;
    if (options.bias == AttentionBias::Alibi) {
        const auto slope = hn::Set(d, biasValue<float>(bias, row.head));
        const auto start = hn::Iota(d, static_cast<float>(row.keys.begin - row.position));
        forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            const auto distance = hn::Abs(hn::Add(start, hn::Set(d, static_cast<float>(i))));
            store(hn::NegMulAdd(slope, distance, load(d, scores + i, part)), d, scores + i, part);
        });
    } else if (bias.dtype == DType::BF16) {
        addBiasOf(bias.as<BFloat16>(), bias.shape, options.bias, row, scores);
    } else {
        addBiasOf(bias.as<float>(), bias.shape, options.bias, row, scores);
    }
}

// A row of `count` weights keeps those of [begin, end).
HWY_INLINE void zeroOutside(float* weights, int64_t begin, int64_t end, int64_t count) {
    std::fill_n(weights, begin, 0.0F);
    std::fill_n(weights + end, count - end, 0.0F);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
