// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/quantized_product.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quantized_kernels.h"
#include "kernels/cpu/quantized_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quantized_product.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

#ifndef WB_KERNELS_CPU_QUANTIZED_PRODUCT_ONCE
#define WB_KERNELS_CPU_QUANTIZED_PRODUCT_ONCE
namespace wb::kernels::cpu {

// A row of x and the groups it becomes, for weights that exceed their values by `offset` and count in `unit`.
struct RowToQuantize {
    const void* x = nullptr;
    DType dtype = DType::F32;
    int64_t groups = 0;
    int32_t offset = 0;
    float unit = 1.0F;
    ActivationBlock* out = nullptr;
};

// Sums of a panel on their way to columns [first, first + count) of rows [firstRow, firstRow + rows) of out.
struct PanelToStore {
    const float* sums = nullptr;
    int64_t firstRow = 0;
    int64_t rows = 0;
    int64_t first = 0;
    int64_t count = 0;
};

}  // namespace wb::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void quantizeBlocks(const RowToQuantize& row) {
    const FloatTag d;
    const hn::RebindToSigned<FloatTag> di;
    const hn::Rebind<int8_t, FloatTag> db;
    constexpr auto kLength = static_cast<size_t>(kGroupLength);
    const T* x = static_cast<const T*>(row.x);
    for (int64_t b = 0; b < row.groups; ++b, x += kLength) {
        FloatVec largest = hn::Zero(d);
        FloatVec broken = hn::Zero(d);  // NaN where a value is not finite
        for (size_t i = 0; i < kLength; i += hn::Lanes(d)) {
            const FloatVec v = load(d, x + i);
            largest = hn::Max(largest, hn::Abs(v));
            broken = hn::MulAdd(v, hn::Zero(d), broken);
        }
        const float scale = maxLanes(d, largest) / 127.0F;
        const FloatVec inverse = hn::Set(d, scale > 0 ? 1.0F / scale : 0.0F);
        ActivationBlock& out = row.out[b];
        auto sum = hn::Zero(di);
        for (size_t i = 0; i < kLength; i += hn::Lanes(d)) {
            const auto scaled = hn::Mul(load(d, x + i), inverse);
            const auto rounded = hn::NearestInt(hn::Max(hn::Set(d, -127.0F), hn::Min(hn::Set(d, 127.0F), scaled)));
            sum = hn::Add(sum, rounded);
            hn::StoreU(hn::DemoteTo(db, rounded), db, out.values.data() + i);
        }
        out.scale = scale * row.unit + sumLanes(d, broken);
        out.correction = -row.offset * hn::GetLane(hn::SumOfLanes(di, sum));
    }
}

template <class In, class Out>
void storeRows(const QuantizedProblem& p, const PanelToStore& panel) {
    const FloatTag d;
    const FloatVec alpha = hn::Set(d, p.alpha);
    for (int64_t t = 0; t < panel.rows; ++t) {
        const float* sums = panel.sums + t * kPanelColumns;
        Out* out = static_cast<Out*>(p.out) + (panel.firstRow + t) * p.strideOut + panel.first;
        forVectors(static_cast<size_t>(panel.count), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            FloatVec value = hn::Mul(alpha, load(d, sums + i, part));
            if (p.bias != nullptr)
                value = hn::Add(value, load(d, static_cast<const In*>(p.bias) + panel.first + i, part));
            if (p.accumulates) value = hn::Add(value, load(d, out + i, part));
            store(value, d, out + i, part);
        });
    }
}

}  // namespace

void QuantizeRow(const RowToQuantize& row) {
    if (row.dtype == DType::BF16) {
        quantizeBlocks<BFloat16>(row);
    } else {
        quantizeBlocks<float>(row);
    }
}

void StorePanel(const QuantizedProblem& p, const PanelToStore& panel) {
    if (p.inputs == DType::F32) {
        storeRows<float, float>(p, panel);
    } else if (p.output == DType::F32) {
        storeRows<BFloat16, float>(p, panel);
    } else {
        storeRows<BFloat16, BFloat16>(p, panel);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(QuantizeRow);
HWY_EXPORT(StorePanel);

namespace {

// Rows of x that meet a panel of weights in one go: some 70 KB of x at 576 columns. A multiple of every set's maxRows.
constexpr int64_t kRowChunk = 96;
// Widened columns of a weight: a few MB, so that they are still in cache when the product reads them.
constexpr int64_t kWidenedBytes = int64_t{4} << 20;
constexpr int64_t kMinWidenedColumns = 64;

ActivationBlock* quantizeRows(const Context& context, const QuantizedProblem& p, void* workspace) {
    const int64_t columns = p.weight.shape[1];
    auto* quantized = static_cast<ActivationBlock*>(workspace);
    const auto* x = static_cast<const std::byte*>(p.x);
    const auto rowBytes = dtypeBytes(p.inputs, static_cast<size_t>(columns));
    RowToQuantize any{.dtype = p.inputs, .groups = columns / kGroupLength};
    withTiles(p.weight.dtype, [&any]<class Format>() {
        any.offset = Format::kOffset;
        any.unit = Format::kUnit;
    });
    parallelFor(context, p.rows, columns, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            RowToQuantize row = any;
            row.x = x + static_cast<size_t>(t) * rowBytes;
            row.out = quantized + t * any.groups;
            HWY_DYNAMIC_DISPATCH(QuantizeRow)(row);
        }
    });
    return quantized;
}

// One panel of weights with the rows [firstRow, endRow).
void multiplyPanel(const QuantizedProblem& p, const ActivationBlock* x, int64_t panel, int64_t firstRow,
                   int64_t endRow) {
    static const TileKernels& kernels = tileKernels().front();
    const auto run = kernels.of(p.weight.dtype);
    const int64_t groups = p.weight.shape[1] / kGroupLength;
    const int64_t first = panel * kPanelColumns;
    const int64_t count = std::min(kPanelColumns, p.weight.shape[0] - first);
    const size_t tileBytes = arrayBytes(p.weight.dtype, {kTileRows, p.weight.shape[1]});
    HWY_ALIGN float sums[kMostRows * kPanelColumns];
    for (int64_t t = firstRow; t < endRow; t += kernels.maxRows) {
        const int64_t rows = std::min(kernels.maxRows, endRow - t);
        run({.tiles = p.weight.as<std::byte>() + static_cast<size_t>(first / kTileRows) * tileBytes,
             .groups = groups,
             .x = x + t * groups,
             .rows = rows,
             .numTiles = count > kTileRows ? 2 : 1,
             .sums = sums});
        HWY_DYNAMIC_DISPATCH(StorePanel)(p, {sums, t, rows, first, count});
    }
}

int64_t widenedColumns(int64_t n, int64_t k, DType dtype) {
    const auto bytesPerColumn = static_cast<int64_t>(dtypeBytes(dtype, static_cast<size_t>(k)));
    const int64_t affordable = kWidenedBytes / std::max<int64_t>(1, bytesPerColumn) / kGroupLength * kGroupLength;
    return std::min(n, std::max(kMinWidenedColumns, affordable));
}

size_t widenedPanelBytes(int64_t n, int64_t k, DType dtype) {
    const size_t bytes = dtypeBytes(dtype, static_cast<size_t>(widenedColumns(n, k, dtype) * k));
    return (bytes + Allocator::kGranule - 1) / Allocator::kGranule * Allocator::kGranule;
}

}  // namespace

size_t quantizedWorkspaceBytes(int64_t rows, int64_t columns) {
    return static_cast<size_t>(rows * (columns / kGroupLength)) * sizeof(ActivationBlock);
}

void multiplyQuantized(const Context& context, const QuantizedProblem& p, void* workspace) {
    if (p.rows == 0) return;
    const ActivationBlock* x = quantizeRows(context, p, workspace);
    const int64_t panels = (p.weight.shape[0] + kPanelColumns - 1) / kPanelColumns;
    const int64_t chunks = (p.rows + kRowChunk - 1) / kRowChunk;
    const int64_t work = kPanelColumns * p.weight.shape[1] * std::min(p.rows, kRowChunk);
    parallelFor(context, panels * chunks, work, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t firstRow = i % chunks * kRowChunk;
            multiplyPanel(p, x, i / chunks, firstRow, std::min(firstRow + kRowChunk, p.rows));
        }
    });
}

size_t widenedWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType inputs, DType output, int numThreads) {
    return widenedPanelBytes(n, k, inputs) +
           gemmWorkspaceBytes(m, widenedColumns(n, k, inputs), k, inputs, output, numThreads);
}

void multiplyWidened(const Context& context, const GemmProblem& problem, const ConstView& weight, void* workspace) {
    const int64_t width = widenedColumns(problem.n, problem.k, problem.inputs);
    auto* gemmWorkspace = static_cast<std::byte*>(workspace) + widenedPanelBytes(problem.n, problem.k, problem.inputs);
    for (int64_t first = 0; first < problem.n; first += width) {
        GemmProblem part = problem;
        part.n = std::min(width, problem.n - first);
        part.b = workspace;
        part.strideB = part.n;
        part.c = static_cast<std::byte*>(problem.c) + dtypeBytes(problem.output, static_cast<size_t>(first));
        const auto rowBytes = dtypeBytes(problem.inputs, static_cast<size_t>(part.n));
        parallelFor(
            context, (problem.k + kTileRows - 1) / kTileRows, kTileRows * part.n, [&](int64_t begin, int64_t end) {
                const int64_t row = begin * kTileRows;
                widenTiles(
                    weight,
                    {row, std::min(end * kTileRows, problem.k), first / kGroupLength, (first + part.n) / kGroupLength},
                    1.0F, static_cast<std::byte*>(workspace) + static_cast<size_t>(row) * rowBytes, problem.inputs,
                    part.n);
            });
        gemm(part, gemmWorkspace);
    }
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
