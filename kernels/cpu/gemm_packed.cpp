// SPDX-License-Identifier: Apache-2.0
// C = alpha A B + bias (+ C) by the scheme of Goto and van de Geijn (2008, doi:10.1145/1356052.1356053): blocks of A
// and B are copied into panels that the inner kernel reads in order, so that neither strides nor element types matter
// to it.
#include "kernels/cpu/gemm_packed.h"

#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <type_traits>

// Highway includes this file once per instruction set; what all of them share is defined once.
#ifndef WB_KERNELS_CPU_GEMM_PACKED_ONCE
#define WB_KERNELS_CPU_GEMM_PACKED_ONCE
namespace wb::kernels::cpu {

// Depth of a panel: a strip of B and the rows of A it meets stay in the first- and second-level cache.
constexpr int64_t kPanelDepth = 512;
// Columns of B that are packed at a time: 1 MiB at full depth.
constexpr int64_t kPanelColumns = 512;
// The same where the rows of A need no packing.
constexpr int64_t kNarrowPanelColumns = 128;
// Rows of A that are packed at a time, a multiple of the rows of every kernel.
constexpr int64_t kPanelRows = 168;
// A row of packed A; the extra line keeps the rows of a tile out of each other's cache sets.
constexpr int64_t kPackedRowStride = kPanelDepth + 16;
// Blocks of k are equal but for the last, and whole vectors.
constexpr int64_t kDepthGrain = 16;

inline int64_t roundUp(int64_t count, int64_t grain) {
    return (count + grain - 1) / grain * grain;
}

// The part of the output that one thread makes, and its panels.
struct GemmPart {
    int64_t beginM, endM;
    int64_t beginN, endN;
    float* panelA;
    float* panelB;
    float* partial;  // [endM - beginM, kPanelColumns]: sums between blocks of k where C cannot hold them, or null
};

}  // namespace wb::kernels::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm_packed.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Registers: two accumulators a row, two of B, one of A; 32 vector registers from AVX-512 on, 16 before.
#if HWY_TARGET <= HWY_AVX3
constexpr size_t kTileRows = 14;
#else
constexpr size_t kTileRows = 6;
#endif
static_assert(kPanelRows % kTileRows == 0, "panels hold whole tiles");
// Floats that a tile takes in a panel for each step of depth: whole vectors.
constexpr size_t kTileStride = (kTileRows + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
static_assert(kTileStride <= 16, "fits the panel");

HWY_INLINE size_t stripWidth() {
    return 2 * hn::Lanes(FloatTag());
}

// Asks for the cache lines of count elements.
template <class T>
HWY_INLINE void prefetchLines(const T* from, size_t count) {
    constexpr size_t kLine = 64 / sizeof(T);
    for (size_t i = 0; i < count; i += kLine) __builtin_prefetch(from + i);
}

// Memory that is packed next, asked for line by line while the kernels work: a panel packed from memory that nobody
// asked for before waits for it, some ten percent of a product.
class Upcoming {
public:
    Upcoming() = default;
    // `rows` pieces of rowBytes, asked for in about `asks` steps.
    Upcoming(const void* first, size_t strideBytes, size_t rowBytes, size_t rows, size_t asks)
        : m_row(static_cast<const char*>(first)), m_strideBytes(strideBytes), m_rowBytes(rowBytes), m_rowsLeft(rows) {
        const size_t lines = (rowBytes + kLine - 1) / kLine * rows;
        m_linesPerAsk = (lines + asks - 1) / std::max<size_t>(1, asks);
    }

    HWY_INLINE void ask() {
        for (size_t i = 0; i < m_linesPerAsk && m_rowsLeft > 0; ++i) {
            __builtin_prefetch(m_row + m_at, 0, 2);  // into the second-level cache
            m_at += kLine;
            if (m_at < m_rowBytes) continue;
            m_at = 0;
            m_row += m_strideBytes;
            --m_rowsLeft;
        }
    }

private:
    static constexpr size_t kLine = 64;

    const char* m_row = nullptr;
    size_t m_strideBytes = 0;
    size_t m_rowBytes = 0;
    size_t m_rowsLeft = 0;
    size_t m_at = 0;
    size_t m_linesPerAsk = 0;
};

// Which index of A is contiguous: in the panel as it was in memory, so that packing is a plain copy.
enum class PanelOrder { DepthContiguous, RowContiguous };

// Sums of a tile. Named members, not an array: GCC 12 keeps arrays of vectors in memory.
template <size_t kRows>
struct Sums {
    FloatVec first, second;
    Sums<kRows - 1> next;

    HWY_INLINE void clear() {
        first = second = hn::Zero(FloatTag());
        next.clear();
    }
    HWY_INLINE void step(const float* a, size_t rowStep, FloatVec b0, FloatVec b1) {
        const FloatVec factor = hn::Set(FloatTag(), *a);
        first = hn::MulAdd(factor, b0, first);
        second = hn::MulAdd(factor, b1, second);
        next.step(a + rowStep, rowStep, b0, b1);
    }
    HWY_INLINE void finish(float* c) const {
        const FloatTag d;
        hn::StoreU(first, d, c);
        hn::StoreU(second, d, c + hn::Lanes(d));
        next.finish(c + 2 * hn::Lanes(d));
    }
    template <class Output>
    HWY_INLINE void put(const Output& out, size_t row) const {
        out.put(first, row, 0, Full{});
        out.put(second, row, hn::Lanes(FloatTag()), Full{});
        next.put(out, row + 1);
    }
};
template <>
struct Sums<0> {
    HWY_INLINE void clear() {}
    HWY_INLINE void step(const float*, size_t, FloatVec, FloatVec) {}
    HWY_INLINE void finish(float*) const {}
    template <class Output>
    HWY_INLINE void put(const Output&, size_t) const {}
};

// Where a tile of sums goes. Between blocks of k the sums wait in C, or in `partial` where C is too narrow for them.
template <class In, class Out>
struct TileOutput {
    Out* c;
    size_t stride;
    const In* bias;  // at the tile's first column, or null
    float* partial;  // [rows, kPanelColumns] at the tile's first element, or null
    float alpha;
    bool accumulates;
    bool isFirst;  // block of k
    bool isLast;

    HWY_INLINE void prefetch(size_t row) const { prefetchLines(c + row * stride, 2 * hn::Lanes(FloatTag())); }

    // `c` and `partial` stand at the tile's first element, column counts from there.
    template <class Part>
    HWY_INLINE void put(FloatVec sum, size_t row, size_t column, Part part) const {
        const FloatTag d;
        Out* at = c + row * stride + column;
        if (partial != nullptr) {
            float* kept = partial + row * static_cast<size_t>(kPanelColumns) + column;
            if (!isFirst) sum = hn::Add(sum, load(d, kept, part));
            if (!isLast) return store(sum, d, kept, part);
        }
        FloatVec value = hn::Mul(hn::Set(d, alpha), sum);
        if (bias != nullptr) value = hn::Add(value, load(d, bias + column, part));
        if (accumulates) value = hn::Add(value, load(d, at, part));
        store(value, d, at, part);
    }
};

template <PanelOrder kOrder, class In, class Out>
HWY_NOINLINE void multiplyTile(const float* a, size_t stride, const float* b, size_t depth,
                               const TileOutput<In, Out>& out, size_t rows, size_t columns, Upcoming& upcoming) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const size_t rowStep = kOrder == PanelOrder::RowContiguous ? 1 : stride;
    constexpr size_t kDepthStep = kOrder == PanelOrder::RowContiguous ? kTileStride : 1;
    Sums<kTileRows> sums;
    sums.clear();
    const auto run = [&](size_t steps) HWY_ATTR {
        for (size_t i = 0; i < steps; ++i) {
            sums.step(a, rowStep, hn::Load(d, b), hn::Load(d, b + lanes));
            a += kDepthStep;
            b += 2 * lanes;
        }
    };
    // The lines of the output are asked for one row at a time: all at once would hold up the loads of the panels.
    const size_t chunk = std::max<size_t>(4, depth / kTileRows / 4 * 4);
    size_t p = 0;
    for (size_t row = 0; row < rows && p + chunk <= depth; ++row, p += chunk) {
        out.prefetch(row);
        upcoming.ask();
        for (size_t i = 0; i < chunk; i += 4) {
            run(4);
        }
    }
    run(depth - p);
    if (rows == kTileRows && columns == 2 * lanes) return sums.put(out, 0);
    HWY_ALIGN float tile[kTileRows * 2 * kMaxLanes];
    sums.finish(tile);
    for (size_t row = 0; row < rows; ++row) {
        forVectors(columns, lanes, [&](size_t i, auto part) HWY_ATTR {
            out.put(load(d, tile + row * 2 * lanes + i, part), row, i, part);
        });
    }
}

// Tiles of kTileRows rows of A [m, k]: row r of a tile is panel[r * kPackedRowStride ...]; missing rows are zeros.
template <class In>
void packRows(const In* a, size_t stride, size_t rows, size_t depth, float* panel) {
    const FloatTag d;
    const size_t padded = (rows + kTileRows - 1) / kTileRows * kTileRows;
    for (size_t row = 0; row < padded; ++row, panel += kPackedRowStride) {
        if (row < rows) {
            forVectors(depth, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
                store(load(d, a + row * stride + i, part), d, panel + i, part);
            });
        } else {
            std::fill_n(panel, depth, 0.0F);
        }
    }
}

// Tiles of A stored as [k, m]: [depth][kTileStride] each, of which the first kTileRows count.
template <class In>
void packTransposedRows(const In* a, size_t stride, size_t rows, size_t depth, float* panel) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    constexpr size_t kAhead = 8;  // rows of the matrix: each lies in another page, which no hardware looks ahead for
    for (size_t p = 0; p < depth; ++p) {
        const In* from = a + p * stride;
        if (p + kAhead < depth) prefetchLines(from + kAhead * stride, rows);
        for (size_t first = 0; first < rows; first += kTileRows) {
            float* to = panel + first / kTileRows * kTileStride * depth + p * kTileStride;
            if (first + kTileStride <= rows) {
                for (size_t i = 0; i < kTileStride; i += lanes) hn::Store(load(d, from + first + i), d, to + i);
            } else {
                for (size_t r = 0; r < kTileRows; ++r) {
                    to[r] = first + r < rows ? static_cast<float>(from[first + r]) : 0.0F;
                }
            }
        }
    }
}

// Strips of B [k, n]: [depth][width], columns beyond the last are zeros.
template <class In>
void packColumns(const In* b, size_t stride, size_t columns, size_t depth, float* panel) {
    const FloatTag d;
    const size_t lanes = hn::Lanes(d);
    const size_t width = stripWidth();
    constexpr size_t kAhead = 8;
    for (size_t group = 0; group < columns; group += 4 * width) {
        const size_t end = std::min(columns, group + 4 * width);
        for (size_t p = 0; p < depth; ++p) {
            const In* from = b + p * stride;
            if (p + kAhead < depth) prefetchLines(from + kAhead * stride + group, end - group);
            for (size_t first = group; first < end; first += width) {
                float* to = panel + first * depth + p * width;
                if (first + width <= columns) {
                    hn::Store(load(d, from + first), d, to);
                    hn::Store(load(d, from + first + lanes), d, to + lanes);
                } else {
                    for (size_t c = 0; c < width; ++c)
                        to[c] = first + c < columns ? static_cast<float>(from[first + c]) : 0.0F;
                }
            }
        }
    }
}

// Square blocks of elements that are turned in registers: as many as a vector has, in lines of the cache.
#if HWY_TARGET == HWY_SCALAR
constexpr size_t kTurn = 1;
template <class In>
HWY_INLINE void turn(const In* from, size_t /*stride*/, float* to, size_t /*width*/) {
    *to = static_cast<float>(*from);
}
#else
// Rows of 128-bit blocks: in each block the 4 x 4 elements of four vectors are turned.
struct Four {
    FloatVec v0, v1, v2, v3;
};

HWY_INLINE Four turnWithinBlocks(const Four& r) {
    const FloatTag d;
    const FloatVec low02 = hn::InterleaveLower(d, r.v0, r.v2);
    const FloatVec low13 = hn::InterleaveLower(d, r.v1, r.v3);
    const FloatVec high02 = hn::InterleaveUpper(d, r.v0, r.v2);
    const FloatVec high13 = hn::InterleaveUpper(d, r.v1, r.v3);
    return {hn::InterleaveLower(d, low02, low13), hn::InterleaveUpper(d, low02, low13),
            hn::InterleaveLower(d, high02, high13), hn::InterleaveUpper(d, high02, high13)};
}

template <class In>
HWY_INLINE Four turnFourRows(const In* from, size_t stride) {
    const FloatTag d;
    return turnWithinBlocks(
        {load(d, from), load(d, from + stride), load(d, from + 2 * stride), load(d, from + 3 * stride)});
}

#if HWY_TARGET <= HWY_AVX3
constexpr size_t kTurn = 16;

// Blocks of four vectors turned: the first lands in rows p, p + 4, p + 8 and p + 12.
HWY_INLINE void storeTurnedBlocks(FloatVec a, FloatVec b, FloatVec c, FloatVec e, float* to, size_t width) {
    const FloatTag d;
    const FloatVec even = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a);  // a0 b0 a2 b2
    const FloatVec odd = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a));   // a1 b1 a3 b3
    const FloatVec even2 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(e), c);
    const FloatVec odd2 = hn::OddEvenBlocks(e, hn::SwapAdjacentBlocks(c));
    hn::Store(hn::ConcatLowerLower(d, even2, even), d, to);
    hn::Store(hn::ConcatLowerLower(d, odd2, odd), d, to + 4 * width);
    hn::Store(hn::ConcatUpperUpper(d, even2, even), d, to + 8 * width);
    hn::Store(hn::ConcatUpperUpper(d, odd2, odd), d, to + 12 * width);
}

template <class In>
HWY_INLINE void turn(const In* from, size_t stride, float* to, size_t width) {
    const Four a = turnFourRows(from, stride);
    const Four b = turnFourRows(from + 4 * stride, stride);
    const Four c = turnFourRows(from + 8 * stride, stride);
    const Four e = turnFourRows(from + 12 * stride, stride);
    storeTurnedBlocks(a.v0, b.v0, c.v0, e.v0, to, width);
    storeTurnedBlocks(a.v1, b.v1, c.v1, e.v1, to + width, width);
    storeTurnedBlocks(a.v2, b.v2, c.v2, e.v2, to + 2 * width, width);
    storeTurnedBlocks(a.v3, b.v3, c.v3, e.v3, to + 3 * width, width);
}
#elif HWY_TARGET <= HWY_AVX2
constexpr size_t kTurn = 8;

HWY_INLINE void storeTurnedBlocks(FloatVec a, FloatVec b, float* to, size_t width) {
    const FloatTag d;
    hn::Store(hn::ConcatLowerLower(d, b, a), d, to);
    hn::Store(hn::ConcatUpperUpper(d, b, a), d, to + 4 * width);
}

template <class In>
HWY_INLINE void turn(const In* from, size_t stride, float* to, size_t width) {
    const Four a = turnFourRows(from, stride);
    const Four b = turnFourRows(from + 4 * stride, stride);
    storeTurnedBlocks(a.v0, b.v0, to, width);
    storeTurnedBlocks(a.v1, b.v1, to + width, width);
    storeTurnedBlocks(a.v2, b.v2, to + 2 * width, width);
    storeTurnedBlocks(a.v3, b.v3, to + 3 * width, width);
}
#else
constexpr size_t kTurn = 4;

template <class In>
HWY_INLINE void turn(const In* from, size_t stride, float* to, size_t width) {
    const FloatTag d;
    const Four a = turnFourRows(from, stride);
    hn::Store(a.v0, d, to);
    hn::Store(a.v1, d, to + width);
    hn::Store(a.v2, d, to + 2 * width);
    hn::Store(a.v3, d, to + 3 * width);
}
#endif
#endif

// Strips of B stored as [n, k].
template <class In>
void packTransposedColumns(const In* b, size_t stride, size_t columns, size_t depth, float* panel) {
    const size_t width = stripWidth();
    constexpr size_t kAhead = 64;  // elements of a row
    for (size_t first = 0; first < columns; first += width, panel += width * depth) {
        const size_t count = std::min(width, columns - first);
        const In* strip = b + first * stride;
        const size_t turnedColumns = count / kTurn * kTurn;
        const size_t turnedDepth = depth / kTurn * kTurn;
        for (size_t c = 0; c < turnedColumns; c += kTurn) {
            const In* from = strip + c * stride;
            for (size_t p = 0; p < turnedDepth; p += kTurn) {
                if (p + kAhead < turnedDepth)
                    for (size_t r = 0; r < kTurn; ++r) __builtin_prefetch(from + r * stride + p + kAhead);
                turn(from + p, stride, panel + p * width + c, width);
            }
        }
        for (size_t p = 0; p < depth; ++p) {
            for (size_t c = p < turnedDepth ? turnedColumns : 0; c < width; ++c) {
                panel[p * width + c] = c < count ? static_cast<float>(strip[c * stride + p]) : 0.0F;
            }
        }
    }
}

// The rows of A that one pass of the kernels meets: packed, or as they lie in memory.
struct RowSource {
    const float* packed;
    const float* direct;  // null: all tiles are packed; else only the last, incomplete one is
    size_t stride;        // of direct
};

template <PanelOrder kOrder, class In, class Out>
void multiplyPanels(const RowSource& a, const float* panelB, size_t rows, size_t columns, size_t depth,
                    TileOutput<In, Out> out, Upcoming& upcoming) {
    const size_t width = stripWidth();
    const size_t tileSize = (kOrder == PanelOrder::RowContiguous ? kTileStride * depth : kTileRows * kPackedRowStride);
    const TileOutput<In, Out> panel = out;
    for (size_t row = 0; row < rows; row += kTileRows) {
        const bool isDirect = a.direct != nullptr && row + kTileRows <= rows;
        const float* tile = isDirect              ? a.direct + row * a.stride
                            : a.direct != nullptr ? a.packed
                                                  : a.packed + row / kTileRows * tileSize;
        for (size_t column = 0; column < columns; column += width) {
            out.c = panel.c + row * panel.stride + column;
            if (panel.bias != nullptr) out.bias = panel.bias + column;
            if (panel.partial != nullptr)
                out.partial = panel.partial + row * static_cast<size_t>(kPanelColumns) + column;
            multiplyTile<kOrder>(tile, isDirect ? a.stride : static_cast<size_t>(kPackedRowStride),
                                 panelB + column * depth, depth, out, std::min(kTileRows, rows - row),
                                 std::min(width, columns - column), upcoming);
        }
    }
}

// One panel of B: a block of k times some columns of the output.
struct PanelB {
    int64_t k;
    int64_t n;
    size_t depth;
    size_t columns;
};

// The product of one thread.
template <class In, class Out>
class PartProduct {
public:
    PartProduct(const GemmProblem& p, const GemmPart& part)
        : m_p(p),
          m_part(part),
          m_step(roundUp((p.k + blocksOf(p.k) - 1) / blocksOf(p.k), kDepthGrain)),
          // Rows that are packed, are packed again for each panel of B; else narrow panels follow each other sooner.
          m_panelColumns(p.isTransposedA || !readsRowsDirectly() ? kPanelColumns : kNarrowPanelColumns) {}

    void run() {
        for (PanelB panel = panelAt(0, m_part.beginN); panel.columns > 0; panel = next(panel)) {
            packB(panel);
            // Without `partial`, C holds the sums of earlier blocks.
            const bool isFirst = panel.k == 0;
            const bool isLast = panel.k + m_step >= m_p.k;
            const bool hasPartial = m_part.partial != nullptr;
            const bool isBiased = m_p.bias != nullptr && (hasPartial ? isLast : isFirst);
            multiply(panel, {.c = static_cast<Out*>(m_p.c) + panel.n,
                             .stride = static_cast<size_t>(m_p.strideC),
                             .bias = isBiased ? static_cast<const In*>(m_p.bias) + panel.n : nullptr,
                             .partial = nullptr,
                             .alpha = m_p.alpha,
                             .accumulates = m_p.accumulates || (!hasPartial && !isFirst),
                             .isFirst = isFirst,
                             .isLast = isLast});
        }
    }

private:
    static int64_t blocksOf(int64_t k) { return (k + kPanelDepth - 1) / kPanelDepth; }

    // F32 rows are read where they are, unless they lie a multiple of a page apart: then the lines of a tile would fall
    // into one set of the first-level cache and push each other out.
    bool readsRowsDirectly() const {
        return std::is_same_v<In, float> && static_cast<size_t>(m_p.strideA) * sizeof(float) % 4096 != 0;
    }
    const In* elementOfA(int64_t m, int64_t k) const {
        return static_cast<const In*>(m_p.a) + (m_p.isTransposedA ? k * m_p.strideA + m : m * m_p.strideA + k);
    }
    const In* elementOfB(int64_t k, int64_t n) const {
        return static_cast<const In*>(m_p.b) + (m_p.isTransposedB ? n * m_p.strideB + k : k * m_p.strideB + n);
    }

    PanelB panelAt(int64_t k, int64_t n) const {
        return {k, n, static_cast<size_t>(std::min(m_step, m_p.k - k)),
                static_cast<size_t>(std::clamp<int64_t>(m_part.endN - n, 0, m_panelColumns))};
    }
    PanelB next(const PanelB& panel) const {
        return panel.k + m_step < m_p.k ? panelAt(panel.k + m_step, panel.n) : panelAt(0, panel.n + m_panelColumns);
    }

    void packB(const PanelB& panel) const {
        const In* b = elementOfB(panel.k, panel.n);
        const auto stride = static_cast<size_t>(m_p.strideB);
        if (m_p.isTransposedB) {
            packTransposedColumns(b, stride, panel.columns, panel.depth, m_part.panelB);
        } else {
            packColumns(b, stride, panel.columns, panel.depth, m_part.panelB);
        }
    }

    // What is packed after the rows from m on: more rows of a transposed A, else the next panel of B.
    Upcoming after(const PanelB& panel, int64_t m) const {
        const int64_t rows = std::min(kPanelRows, m_part.endM - m);
        const size_t asks =
            (static_cast<size_t>(rows) / kTileRows + 1) * (panel.columns / stripWidth() + 1) * kTileRows;
        const int64_t following = m + kPanelRows;
        if (m_p.isTransposedA && following < m_part.endM) {
            const auto count = static_cast<size_t>(std::min(kPanelRows, m_part.endM - following));
            return {elementOfA(following, panel.k), static_cast<size_t>(m_p.strideA) * sizeof(In), count * sizeof(In),
                    panel.depth, asks};
        }
        const PanelB then = next(panel);
        if (then.columns == 0) return {};
        const size_t allAsks =
            m_p.isTransposedA ? asks : asks * static_cast<size_t>((m_part.endM - m_part.beginM) / rows);
        return {elementOfB(then.k, then.n), static_cast<size_t>(m_p.strideB) * sizeof(In),
                (m_p.isTransposedB ? then.depth : then.columns) * sizeof(In),
                m_p.isTransposedB ? then.columns : then.depth, allAsks};
    }

    RowSource packA(int64_t m, const PanelB& panel, size_t rows) const {
        const In* a = elementOfA(m, panel.k);
        const auto stride = static_cast<size_t>(m_p.strideA);
        if (m_p.isTransposedA) {
            packTransposedRows(a, stride, rows, panel.depth, m_part.panelA);
            return {m_part.panelA, nullptr, 0};
        }
        if constexpr (std::is_same_v<In, float>) {
            if (readsRowsDirectly()) {
                const size_t whole = rows / kTileRows * kTileRows;
                if (whole < rows) packRows(a + whole * stride, stride, rows - whole, panel.depth, m_part.panelA);
                return {m_part.panelA, a, stride};
            }
        }
        packRows(a, stride, rows, panel.depth, m_part.panelA);
        return {m_part.panelA, nullptr, 0};
    }

    // C += A B for one panel of B.
    void multiply(const PanelB& panel, TileOutput<In, Out> out) const {
        Out* const c = out.c;
        Upcoming upcoming;
        for (int64_t m = m_part.beginM; m < m_part.endM; m += kPanelRows) {
            const auto rows = static_cast<size_t>(std::min(kPanelRows, m_part.endM - m));
            const RowSource a = packA(m, panel, rows);
            if (m_p.isTransposedA || m == m_part.beginM) upcoming = after(panel, m);
            out.c = c + m * m_p.strideC;
            if (m_part.partial != nullptr) out.partial = m_part.partial + (m - m_part.beginM) * kPanelColumns;
            if (m_p.isTransposedA) {
                multiplyPanels<PanelOrder::RowContiguous>(a, m_part.panelB, rows, panel.columns, panel.depth, out,
                                                          upcoming);
            } else {
                multiplyPanels<PanelOrder::DepthContiguous>(a, m_part.panelB, rows, panel.columns, panel.depth, out,
                                                            upcoming);
            }
        }
    }

    const GemmProblem& m_p;
    const GemmPart& m_part;
    const int64_t m_step;
    const int64_t m_panelColumns;
};

}  // namespace

void MultiplyPart(const GemmProblem& p, const GemmPart& part) {
    if (p.inputs == DType::F32) {
        PartProduct<float, float>(p, part).run();
    } else if (p.output == DType::F32) {
        PartProduct<BFloat16, float>(p, part).run();
    } else {
        PartProduct<BFloat16, BFloat16>(p, part).run();
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(MultiplyPart);

namespace {

// Parts are cut at multiples of what any instruction set's tile covers.
constexpr int64_t kGrainM = 14;
constexpr int64_t kGrainN = 32;

// How many parts the rows and the columns of the output are cut into.
struct Grid {
    int64_t m;
    int64_t n;
};

// The cut whose largest part costs least: its products, and what it packs. Packing an element of B that lies the other
// way costs about as much as 16 multiply-adds of a full vector, a plain copy 4.
Grid gridFor(const GemmProblem& p) {
    const auto largest = [](int64_t count, int64_t grain, int64_t parts) {
        return (roundUp(count, grain) / grain + parts - 1) / parts * grain;
    };
    Grid best{1, 1};
    double bestCost = 0;
    for (int64_t partsM = 1; partsM <= p.numThreads; ++partsM) {
        if (p.numThreads % partsM != 0) continue;
        const int64_t partsN = p.numThreads / partsM;
        const auto rows = static_cast<double>(largest(p.m, kGrainM, partsM));
        const auto columns = static_cast<double>(largest(p.n, kGrainN, partsN));
        const double cost = rows * columns + 4 * rows + (p.isTransposedB ? 16 : 4) * columns;
        if (partsM == 1 || cost < bestCost) {
            bestCost = cost;
            best = {partsM, partsN};
        }
    }
    return best;
}

// Bounds of piece `index` of `parts` of `count` elements in whole grains.
int64_t bound(int64_t count, int64_t grain, int64_t parts, int64_t index) {
    return std::min(count, roundUp(count, grain) / grain * index / parts * grain);
}

// Floats that one thread works with.
struct PanelSizes {
    int64_t a;
    int64_t b;
    int64_t partial;

    int64_t total() const { return a + b + partial; }
};

PanelSizes panelSizes(int64_t m, int64_t n, int64_t k, DType output) {
    // Tiles of 6 rows take 8 floats a step, those of 14 take 16.
    constexpr int64_t kFloatsPerRow = kPackedRowStride * 4 / 3;
    const int64_t columns = std::min(kPanelColumns, roundUp(n, kGrainN));
    const bool needsPartial = output == DType::BF16 && k > kPanelDepth;
    return {.a = std::min(kPanelRows, m + kGrainM) * kFloatsPerRow,
            .b = columns * std::min(kPanelDepth, roundUp(k, kDepthGrain)),
            .partial = needsPartial ? (m + kGrainM) * kPanelColumns : 0};
}

}  // namespace

size_t gemmPackedWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType output, int numThreads) {
    return static_cast<size_t>(numThreads * panelSizes(m, n, k, output).total()) * sizeof(float);
}

void gemmPacked(const GemmProblem& p, void* workspace) {
    const Grid grid = gridFor(p);
    const PanelSizes sizes = panelSizes(p.m, p.n, p.k, p.output);
    const int64_t parts = grid.m * grid.n;
    const auto runPart = [&](int64_t index) {
        float* memory = static_cast<float*>(workspace) + index * sizes.total();
        const int64_t i = index / grid.n;
        const int64_t j = index % grid.n;
        HWY_DYNAMIC_DISPATCH(MultiplyPart)
        (p, {.beginM = bound(p.m, kGrainM, grid.m, i),
             .endM = bound(p.m, kGrainM, grid.m, i + 1),
             .beginN = bound(p.n, kGrainN, grid.n, j),
             .endN = bound(p.n, kGrainN, grid.n, j + 1),
             .panelA = memory,
             .panelB = memory + sizes.a,
             .partial = sizes.partial == 0 ? nullptr : memory + sizes.a + sizes.b});
    };
    const Context context{.numThreads = p.numThreads};
    parallelFor(context, parts, p.m * p.n * p.k / parts, [&](int64_t begin, int64_t end) {
        for (int64_t index = begin; index < end; ++index) runPart(index);
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
