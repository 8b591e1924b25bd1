// SPDX-License-Identifier: Apache-2.0
// SIMD pieces of the tiled attention kernels. Included once per Highway target, after highway.h.
//
// All products of attention, forward and backward, have one form on transposed tiles: C[row, lane] = sum over depth of
// A[row, depth] * B[depth, lane], where A is read as scalars that are broadcast. So no operand is ever repacked, and
// every element is one chain of fused multiply-adds in the order of depth: its bits do not depend on the tile's shape.
// A unit of depth is a float, or on processors that multiply them a pair of BF16 (kernels/cpu/attention_pairs_inl.h).

#if defined(WB_KERNELS_CPU_ATTENTION_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WB_KERNELS_CPU_ATTENTION_TILE_INL_H
#undef WB_KERNELS_CPU_ATTENTION_TILE_INL_H
#else
#define WB_KERNELS_CPU_ATTENTION_TILE_INL_H
#endif

#include "kernels/cpu/attention_tiles.h"
#include "kernels/cpu/simd_inl.h"

#include <hwy/highway.h>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// What the result of a product starts from.
enum class Start { Zero, Keep, Scaled };

// Which index of A is contiguous in memory.
enum class Layout { DepthContiguous, RowContiguous };

struct Operand {
    const float* data;
    size_t stride;  // elements between two values of the index that is not contiguous
};

// One step of a chain: sum + a * b, where a unit of an operand is a float.
struct FloatProduct {
    template <class V>
    static HWY_INLINE V add(V sum, V a, V b) {
        return hn::MulAdd(a, b, sum);
    }
};

// Accumulators of `kRows` rows times one or two vectors. Named members, not an array: GCC 12 keeps arrays of vectors in
// memory.
template <class Product, class D, size_t kRows, size_t kVectors>
struct Accumulators {
    using V = hn::Vec<D>;
    V first;
    V second;
    Accumulators<Product, D, kRows - 1, kVectors> next;

    template <Start kStart>
    HWY_INLINE void start(D d, const float* c, size_t stride, V scale0, V scale1) {
        first = hn::Zero(d);
        second = hn::Zero(d);
        if constexpr (kStart != Start::Zero) {
            first = hn::LoadU(d, c);
            if constexpr (kVectors == 2) second = hn::LoadU(d, c + hn::Lanes(d));
        }
        if constexpr (kStart == Start::Scaled) {
            first = hn::Mul(first, scale0);
            second = hn::Mul(second, scale1);
        }
        next.template start<kStart>(d, c + stride, stride, scale0, scale1);
    }
    HWY_INLINE void step(D d, const float* a, size_t rowStep, V b0, V b1) {
        const V factor = hn::Set(d, *a);
        first = Product::add(first, factor, b0);
        if constexpr (kVectors == 2) second = Product::add(second, factor, b1);
        next.step(d, a + rowStep, rowStep, b0, b1);
    }
    HWY_INLINE void finish(D d, float* c, size_t stride) const {
        hn::StoreU(first, d, c);
        if constexpr (kVectors == 2) hn::StoreU(second, d, c + hn::Lanes(d));
        next.finish(d, c + stride, stride);
    }
};

template <class Product, class D, size_t kVectors>
struct Accumulators<Product, D, 0, kVectors> {
    using V = hn::Vec<D>;
    template <Start kStart>
    HWY_INLINE void start(D, const float*, size_t, V, V) {}
    HWY_INLINE void step(D, const float*, size_t, V, V) {}
    HWY_INLINE void finish(D, float*, size_t) const {}
};

// Registers: two accumulators a row, two of B, one of A; 32 vector registers from AVX-512 on, 16 before. One vector
// wide strips take twice the rows, or too few sums would be in flight to hide the latency of an addition.
#if HWY_TARGET <= HWY_AVX3
constexpr size_t kRowsAtOnce = 8;
#else
constexpr size_t kRowsAtOnce = 6;
#endif

template <class Product, size_t kRows, size_t kVectors, Start kStart, Layout kLayout>
HWY_INLINE void multiplyRows(Operand a, const float* b, size_t bStride, size_t depth, float* c, size_t cStride,
                             const float* scale) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const size_t rowStep = kLayout == Layout::RowContiguous ? 1 : a.stride;
    const size_t depthStep = kLayout == Layout::RowContiguous ? a.stride : 1;
    Accumulators<Product, FloatTag, kRows, kVectors> sums;
    FloatVec scale0 = hn::Zero(d);
    FloatVec scale1 = hn::Zero(d);
    if constexpr (kStart == Start::Scaled) {
        scale0 = hn::LoadU(d, scale);
        if constexpr (kVectors == 2) scale1 = hn::LoadU(d, scale + lanes);
    }
    sums.template start<kStart>(d, c, cStride, scale0, scale1);
    const float* pointer = a.data;
    for (size_t p = 0; p < depth; ++p, pointer += depthStep, b += bStride) {
        const FloatVec b0 = hn::LoadU(d, b);
        const FloatVec b1 = kVectors == 2 ? hn::LoadU(d, b + lanes) : b0;
        sums.step(d, pointer, rowStep, b0, b1);
    }
    sums.finish(d, c, cStride);
}

// Fewer than kRows + 1 rows.
template <class Product, size_t kRows, size_t kVectors, Start kStart, Layout kLayout>
HWY_INLINE void multiplyRest(size_t rows, Operand a, const float* b, size_t bStride, size_t depth, float* c,
                             size_t cStride, const float* scale) {
    if constexpr (kRows > 0) {
        if (rows == kRows) {
            multiplyRows<Product, kRows, kVectors, kStart, kLayout>(a, b, bStride, depth, c, cStride, scale);
        } else {
            multiplyRest<Product, kRows - 1, kVectors, kStart, kLayout>(rows, a, b, bStride, depth, c, cStride, scale);
        }
    }
}

// One strip of columns, all rows.
template <class Product, size_t kVectors, Start kStart, Layout kLayout>
HWY_NOINLINE void multiplyStrip(size_t rows, size_t depth, Operand a, const float* b, size_t bStride, float* c,
                                size_t cStride, const float* scale) {
    constexpr size_t kBlock = kRowsAtOnce * 2 / kVectors;
    const size_t rowStep = kLayout == Layout::RowContiguous ? 1 : a.stride;
    size_t row = 0;
    for (; row + kBlock <= rows; row += kBlock) {
        multiplyRows<Product, kBlock, kVectors, kStart, kLayout>({a.data + row * rowStep, a.stride}, b, bStride, depth,
                                                                 c + row * cStride, cStride, scale);
    }
    multiplyRest<Product, kBlock - 1, kVectors, kStart, kLayout>(rows - row, {a.data + row * rowStep, a.stride}, b,
                                                                 bStride, depth, c + row * cStride, cStride, scale);
}

// C[rows, columns] = A[rows, depth] B[depth, columns], from C times scale[columns] where kStart says so. columns is a
// multiple of the lanes of a vector. Depth and strides count the units of Product.
template <Start kStart, Layout kLayout, class Product = FloatProduct>
HWY_INLINE void multiply(size_t rows, size_t columns, size_t depth, Operand a, const float* b, size_t bStride, float* c,
                         size_t cStride, const float* scale = nullptr) {
    const size_t lanes = hn::Lanes(FloatTag());
    size_t column = 0;
    for (; column + 2 * lanes <= columns; column += 2 * lanes) {
        multiplyStrip<Product, 2, kStart, kLayout>(rows, depth, a, b + column, bStride, c + column, cStride,
                                                   scale == nullptr ? nullptr : scale + column);
    }
    if (column < columns) {
        multiplyStrip<Product, 1, kStart, kLayout>(rows, depth, a, b + column, bStride, c + column, cStride,
                                                   scale == nullptr ? nullptr : scale + column);
    }
}

// Calls body(row, column) for each vector of a [rows, columns] tile, row by row.
template <class Body>
HWY_INLINE void forTile(size_t rows, size_t columns, const Body& body) {
    const size_t lanes = hn::Lanes(FloatTag());
    for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; column += lanes) body(row, column);
    }
}

// out[i, :] = row i of `count` rows of `width` elements, as float; columns from width to outStride become 0.
template <class T>
void gatherRows(const T* from, int64_t stride, size_t count, size_t width, float* out, size_t outStride) {
    const FloatTag d;
    for (size_t row = 0; row < count; ++row, from += stride, out += outStride) {
        forVectors(width, hn::Lanes(d),
                   [&](size_t i, auto part) HWY_ATTR { store(load(d, from + i, part), d, out + i, part); });
        for (size_t i = width; i < outStride; ++i) out[i] = 0;
    }
}

// Row i of `out` = scale * in[i, 0 .. width].
template <class T>
void storeRows(const float* in, int64_t inStride, float scale, T* out, int64_t outStride, size_t count, size_t width) {
    const FloatTag d;
    const auto factor = hn::Set(d, scale);
    for (size_t row = 0; row < count; ++row, in += inStride, out += outStride) {
        forVectors(width, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::Mul(hn::LoadU(d, in + i), factor), d, out + i, part);  // rows of `in` are padded
        });
    }
}

HWY_INLINE void scaleInPlace(float* x, float factor, size_t count) {
    const FloatTag d;
    const auto by = hn::Set(d, factor);
    for (size_t i = 0; i < count; i += hn::Lanes(d)) hn::StoreU(hn::Mul(hn::LoadU(d, x + i), by), d, x + i);
}

// x += y
HWY_INLINE void addInPlace(float* x, const float* y, size_t count) {
    const FloatTag d;
    for (size_t i = 0; i < count; i += hn::Lanes(d)) {
        hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i);
    }
}

// x *= factor, for a count that is a multiple of kLaneStep.
HWY_INLINE void multiplyInPlace(float* x, const float* factor, size_t count) {
    const FloatTag d;
    for (size_t i = 0; i < count; i += hn::Lanes(d)) {
        hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, factor + i)), d, x + i);
    }
}

template <class T>
HWY_INLINE float toFloat(T value) {
    return static_cast<float>(value);
}

// out[d, r] = scale * row r of the tile; lanes behind the last row become 0.
template <class T>
void gatherTransposed(const QueryTile& tile, const T* data, int64_t numHeads, int64_t headDim, float scale,
                      float* out) {
    const int64_t columns = tile.columns();
    for (int64_t r = 0; r < columns; ++r) {
        if (r < tile.numRows) {
            const T* row = tile.row(data, r, numHeads, headDim);
            for (int64_t i = 0; i < headDim; ++i) out[i * columns + r] = scale * toFloat(row[i]);
        } else {
            for (int64_t i = 0; i < headDim; ++i) out[i * columns + r] = 0;
        }
    }
}

// What turns products q k into scores.
struct ScoreRules {
    AttentionOptions options;
    ConstView bias;
    KeyRange seenBySome;
    KeyRange seenByAll;

    bool isMasked(int64_t firstKey, int64_t numKeys) const {
        return firstKey < seenByAll.begin || firstKey + numKeys > seenByAll.end;
    }
    // Whether scores are more than scaled products.
    bool changesScores() const { return options.softCap > 0 || options.bias != AttentionBias::None; }
};

// scores = cap tanh(scores / cap); slopes (optional) = derivative.
HWY_INLINE void applySoftCap(float cap, float* scores, float* slopes, size_t rows, size_t columns) {
    const FloatTag d;
    const auto inverse = hn::Set(d, 1.0F / cap);
    const auto one = hn::Set(d, 1.0F);
    forTile(rows, columns, [&](size_t row, size_t column) HWY_ATTR {
        float* at = scores + row * columns + column;
        const auto t = tanhVec(d, hn::Mul(hn::LoadU(d, at), inverse));
        hn::StoreU(hn::Mul(t, hn::Set(d, cap)), d, at);
        if (slopes != nullptr) hn::StoreU(hn::NegMulAdd(t, t, one), d, slopes + row * columns + column);
    });
}

// Products of a tile become scores S in place: soft cap, bias, -infinity where a key is hidden. `scratch` holds
// extraFloats().
HWY_INLINE void applyRules(const ScoreRules& rules, const QueryTile& tile, const LaneFacts& facts, int64_t firstKey,
                           int64_t numKeys, float* scores, float* capSlopes, float* scratch) {
    const FloatTag d;
    const hn::RebindToSigned<FloatTag> di;
    const auto rows = static_cast<size_t>(numKeys);
    const auto columns = static_cast<size_t>(tile.columns());
    if (rules.options.softCap > 0) applySoftCap(rules.options.softCap, scores, capSlopes, rows, columns);
    if (rules.options.bias == AttentionBias::Alibi) {
        forTile(rows, columns, [&](size_t row, size_t column) HWY_ATTR {
            float* at = scores + row * columns + column;
            const auto j = hn::Set(d, static_cast<float>(firstKey + static_cast<int64_t>(row)));
            const auto distance = hn::Abs(hn::Sub(hn::Load(d, facts.position + column), j));
            hn::StoreU(hn::NegMulAdd(hn::Load(d, facts.slope + column), distance, hn::LoadU(d, at)), d, at);
        });
    } else if (rules.options.bias == AttentionBias::Dense) {
        gatherBias(rules.bias, tile, firstKey, numKeys, scratch);
        addInPlace(scores, scratch, rows * columns);
    } else if (rules.options.bias == AttentionBias::DistanceTable) {
        const DistanceStrip strip(tile, firstKey, numKeys);
        std::fill_n(scratch, strip.length(), 0.0F);
        strip.forEntries(rules.bias.shape[1],
                         [&](int64_t x, int64_t entry) { scratch[x] = biasValue<float>(rules.bias, entry); });
        for (int64_t j = 0; j < numKeys; ++j) {
            addInPlace(scores + j * tile.columns(), scratch + strip.start(j), columns);
        }
    }
    if (!rules.isMasked(firstKey, numKeys)) return;
    forTile(rows, columns, [&](size_t row, size_t column) HWY_ATTR {
        float* at = scores + row * columns + column;
        const auto j = hn::Set(di, static_cast<int32_t>(firstKey + static_cast<int64_t>(row)));
        const auto isHidden =
            hn::Or(hn::Lt(j, hn::Load(di, facts.firstKey + column)), hn::Lt(hn::Load(di, facts.lastKey + column), j));
        hn::StoreU(hn::IfThenElse(hn::RebindMask(d, isHidden), hn::Set(d, kMinusInfinity), hn::LoadU(d, at)), d, at);
    });
}

// Running values of the online softmax (Milakov and Gimelshein 2018, arXiv:1805.02867), one a row of the tile.
struct SoftmaxState {
    float* highest;
    float* sum;
    float* shrink;  // what earlier weights must be multiplied by after a step
};

// Ends a step for the lanes at `column`: total is the sum of exp(S - shift).
HWY_INLINE void finishStrip(FloatVec before, FloatVec top, FloatVec shift, FloatVec total, size_t column,
                            const SoftmaxState& state) {
    const FloatTag d;
    const auto factor = expSmall(d, hn::Sub(before, shift));
    hn::Store(top, d, state.highest + column);
    hn::Store(hn::MulAdd(hn::Load(d, state.sum + column), factor, total), d, state.sum + column);
    hn::Store(factor, d, state.shrink + column);
}

// Largest of each lane over the rows of a strip, in four chains: one would wait for each comparison.
HWY_INLINE FloatVec highestOfStrip(const float* strip, size_t rows, size_t columns) {
    const FloatTag d;
    auto top0 = hn::Set(d, kMinusInfinity);
    auto top1 = top0;
    auto top2 = top0;
    auto top3 = top0;
    size_t row = 0;
    for (; row + 4 <= rows; row += 4, strip += 4 * columns) {
        top0 = hn::Max(top0, hn::LoadU(d, strip));
        top1 = hn::Max(top1, hn::LoadU(d, strip + columns));
        top2 = hn::Max(top2, hn::LoadU(d, strip + 2 * columns));
        top3 = hn::Max(top3, hn::LoadU(d, strip + 3 * columns));
    }
    for (; row < rows; ++row, strip += columns) top0 = hn::Max(top0, hn::LoadU(d, strip));
    return hn::Max(hn::Max(top0, top1), hn::Max(top2, top3));
}

// One step: scores become exp(S - highest).
HWY_INLINE void softmaxStep(float* scores, size_t rows, size_t columns, const SoftmaxState& state) {
    const FloatTag d;
    const auto nothing = hn::Set(d, kMinusInfinity);
    for (size_t column = 0; column < columns; column += hn::Lanes(d)) {
        float* strip = scores + column;
        const auto before = hn::Load(d, state.highest + column);
        const auto top = hn::Max(before, highestOfStrip(strip, rows, columns));
        const auto shift = hn::IfThenZeroElse(hn::Eq(top, nothing), top);  // -inf - -inf would be NaN
        auto total = hn::Zero(d);
        for (size_t row = 0; row < rows; ++row) {
            const auto weight = expSmall(d, hn::Sub(hn::LoadU(d, strip + row * columns), shift));
            hn::StoreU(weight, d, strip + row * columns);
            total = hn::Add(total, weight);
        }
        finishStrip(before, top, shift, total, column, state);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
