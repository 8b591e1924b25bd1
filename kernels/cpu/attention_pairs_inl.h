// SPDX-License-Identifier: Apache-2.0
// Operands of tiles in BF16, for processors with AVX512_BF16: two neighbours along the depth of a product share 32
// bits, the unit of storage here, and one instruction adds both products to an F32 sum. Included once per Highway
// target, after highway.h; empty where the target has no 512-bit vectors.
//
// Highway 1.0.3 knows no such target, and a template keeps the instruction set under which it was written: the two
// instructions are therefore spelled out. Callers check multipliesPairs().

#if defined(WB_KERNELS_CPU_ATTENTION_PAIRS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WB_KERNELS_CPU_ATTENTION_PAIRS_INL_H
#undef WB_KERNELS_CPU_ATTENTION_PAIRS_INL_H
#else
#define WB_KERNELS_CPU_ATTENTION_PAIRS_INL_H
#endif

#include "kernels/cpu/attention_tile_inl.h"

#include <hwy/highway.h>
#include <cstring>

#if HWY_TARGET <= HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

// sum + a0 b0 + a1 b1, where a unit of an operand is a pair of BF16.
struct PairProduct {
    static HWY_INLINE FloatVec add(FloatVec sum, FloatVec a, FloatVec b) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
        return sum;
    }
};

// The low half of the result holds `low`, the high half `high`, rounded to nearest even.
HWY_INLINE __m512i narrowBoth(FloatVec low, FloatVec high) {
    __m512i both;
    asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(both) : "v"(high.raw), "v"(low.raw));
    return both;
}

// Lane i of the result: the pair (even[i], odd[i]).
HWY_INLINE FloatVec makePairs(FloatVec even, FloatVec odd) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return FloatVec{_mm512_castsi512_ps(_mm512_permutexvar_epi16(order, narrowBoth(even, odd)))};
}

// Rows of BF16 side by side as pairs along the row: [count, width / 2]. width is even.
HWY_INLINE void copyPairRows(const BFloat16* from, int64_t stride, size_t count, size_t width, float* out) {
    for (size_t row = 0; row < count; ++row, from += stride, out += width / 2) {
        std::memcpy(out, static_cast<const void*>(from), width * sizeof(BFloat16));
    }
}

HWY_INLINE void storePair(uint32_t pair, float* out) {
    std::memcpy(out, &pair, sizeof(pair));
}

// Pairs of two rows of BF16 (odd may be null: zeros): out[i] = (even[i], odd[i]).
HWY_INLINE void pairRows(const BFloat16* even, const BFloat16* odd, size_t width, float* out) {
    const hn::RebindToUnsigned<FloatTag> du;
    const hn::Rebind<uint16_t, FloatTag> dh;
    const auto* low = reinterpret_cast<const uint16_t*>(even);
    const auto* high = reinterpret_cast<const uint16_t*>(odd);
    size_t i = 0;
    for (; i + hn::Lanes(du) <= width; i += hn::Lanes(du)) {
        const auto first = hn::PromoteTo(du, hn::LoadU(dh, low + i));
        const auto second = odd == nullptr ? hn::Zero(du) : hn::PromoteTo(du, hn::LoadU(dh, high + i));
        const FloatTag d;
        hn::StoreU(hn::BitCast(d, hn::Or(first, hn::ShiftLeft<16>(second))), d, out + i);
    }
    for (; i < width; ++i) {
        storePair(static_cast<uint32_t>(low[i]) | (odd == nullptr ? 0U : static_cast<uint32_t>(high[i]) << 16U),
                  out + i);
    }
}

// Pairs along the rows of a block: [(count + 1) / 2, width].
HWY_INLINE void pairBlock(const BFloat16* from, int64_t stride, size_t count, size_t width, float* out) {
    for (size_t row = 0; row < count; row += 2, from += 2 * stride, out += width) {
        pairRows(from, row + 1 < count ? from + stride : nullptr, width, out);
    }
}

// Pairs along D of the rows of a tile, transposed: [D / 2, columns]; lanes behind the last row become 0. Flipping signs
// is exact, so that a score's factor can be taken as positive.
inline void gatherPairsTransposed(const QueryTile& tile, const BFloat16* data, int64_t numHeads, int64_t headDim,
                                  bool isNegated, float* out) {
    const int64_t columns = tile.columns();
    const uint32_t signs = isNegated ? 0x80008000U : 0U;
    for (int64_t r = 0; r < columns; ++r) {
        const BFloat16* row = r < tile.numRows ? tile.row(data, r, numHeads, headDim) : nullptr;
        for (int64_t i = 0; i < headDim / 2; ++i) {
            uint32_t pair = 0;
            if (row != nullptr) {
                std::memcpy(&pair, static_cast<const void*>(row + 2 * i), sizeof(pair));
                pair ^= signs;
            }
            storePair(pair, out + i * columns + r);
        }
    }
}

// Pairs of neighbouring rows of a tile: [columns / 2, D].
inline void gatherRowPairs(const QueryTile& tile, const BFloat16* data, int64_t numHeads, int64_t headDim, float* out) {
    const auto width = static_cast<size_t>(headDim);
    for (int64_t r = 0; r < tile.columns(); r += 2, out += width) {
        if (r >= tile.numRows) {
            std::fill_n(out, width, 0.0F);
            continue;
        }
        pairRows(tile.row(data, r, numHeads, headDim),
                 r + 1 < tile.numRows ? tile.row(data, r + 1, numHeads, headDim) : nullptr, width, out);
    }
}

// softmaxStep() whose weights, times keep (optional), become pairs along the keys: [(rows + 1) / 2, columns]. `scale`
// is a positive factor of the scores; highest counts it.
HWY_INLINE void softmaxStepPairs(const float* scores, size_t rows, size_t columns, float scale, const float* keep,
                                 const SoftmaxState& state, float* pairs) {
    const FloatTag d;
    const auto nothing = hn::Set(d, kMinusInfinity);
    const auto by = hn::Set(d, scale);
    for (size_t column = 0; column < columns; column += hn::Lanes(d)) {
        const float* strip = scores + column;
        const auto before = hn::Load(d, state.highest + column);
        const auto top = hn::Max(before, hn::Mul(highestOfStrip(strip, rows, columns), by));
        const auto shift = hn::IfThenZeroElse(hn::Eq(top, nothing), top);  // -inf - -inf would be NaN
        auto total = hn::Zero(d);
        for (size_t row = 0; row < rows; row += 2) {
            const bool hasOdd = row + 1 < rows;
            auto even = expSmall(d, hn::MulSub(hn::LoadU(d, strip + row * columns), by, shift));
            auto odd = hn::Zero(d);
            if (hasOdd) odd = expSmall(d, hn::MulSub(hn::LoadU(d, strip + (row + 1) * columns), by, shift));
            total = hn::Add(total, hn::Add(even, odd));
            if (keep != nullptr) {
                even = hn::Mul(even, hn::LoadU(d, keep + row * columns + column));
                if (hasOdd) odd = hn::Mul(odd, hn::LoadU(d, keep + (row + 1) * columns + column));
            }
            hn::StoreU(makePairs(even, odd), d, pairs + row / 2 * columns + column);
        }
        finishStrip(before, top, shift, total, column, state);
    }
}

// Rows of a [count, columns] tile of floats as BF16: [count, columns / 2] pairs along the row.
HWY_INLINE void narrowTile(const float* tile, size_t count, size_t columns, float* out) {
    const FloatTag d;
    forTile(count, columns, [&](size_t row, size_t column) HWY_ATTR {
        store(hn::LoadU(d, tile + row * columns + column), d,
              reinterpret_cast<BFloat16*>(out + row * columns / 2) + column);
    });
}

// The same with pairs along the columns: [(count + 1) / 2, columns].
HWY_INLINE void pairTile(const float* tile, size_t count, size_t columns, float* out) {
    const FloatTag d;
    for (size_t row = 0; row < count; row += 2) {
        for (size_t column = 0; column < columns; column += hn::Lanes(d)) {
            const float* at = tile + row * columns + column;
            const auto odd = row + 1 < count ? hn::LoadU(d, at + columns) : hn::Zero(d);
            hn::StoreU(makePairs(hn::LoadU(d, at), odd), d, out + row / 2 * columns + column);
        }
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_AVX3

#endif  // per-target guard
