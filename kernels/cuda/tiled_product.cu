// SPDX-License-Identifier: Apache-2.0
// Many rows: panels of the weight are widened into scratch that stays in the cache, and multiplied by the library. Of
// a W^T a panel are rows of the weight, of a W columns: either way each panel makes columns of the output, and no sum
// is cut.
#include "kernels/cuda/tiled_product.h"

#include "kernels/cuda/dense_product.h"
#include "kernels/cuda/quantized_blocks.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPanelBytes = int64_t{32} << 20;
constexpr int64_t kPanelMultiple = 128;  // rows or columns: whole tiles and groups, and whole tiles of the library

// Rows and groups of 32 columns of the weight that a panel holds.
struct Panel {
    int64_t firstRow, rows, firstGroup, groups;
};

// out [rows, 32 groups]. A thread takes a group of a row; neighbours take neighbouring rows, as the tiles lie.
template <class T, class Format>
__global__ void __launch_bounds__(kThreads) widenKernel(DeviceTiles<Format> tiles, Panel panel, T* out) {
    const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    const int64_t lane = index % kRowsOfTile;
    const int64_t group = index / kRowsOfTile % panel.groups;
    const int64_t row = index / kRowsOfTile / panel.groups * kRowsOfTile + lane;
    if (row >= panel.rows) return;
    const int64_t tile = panel.firstRow / kRowsOfTile + row / kRowsOfTile;
    const int64_t source = panel.firstGroup + group;
    const float scale = toFloat(tiles.scales(tile, source)[lane]) * Format::kUnit;
    uint32_t dwords[Format::kDwords];
#pragma unroll
    for (int j = 0; j < Format::kDwords; ++j) dwords[j] = tiles.dwords(tile, source, j)[lane];
    T* target = out + (row * panel.groups + group) * kColumnsOfGroup;
#pragma unroll
    for (int quad = 0; quad < kColumnsOfGroup / 4; ++quad) {
        float numbers[4];
        Format::widen(dwords, quad, numbers);
        Pack<T, 4> pack;
#pragma unroll
        for (int j = 0; j < 4; ++j) pack.values[j] = fromFloat<T>(scale * numbers[j]);
        storePack(target + 4 * quad, pack);
    }
}

void widen(const Stream& stream, const ConstView& weight, const Panel& panel, DType dtype, void* out) {
    withTiles(weight.dtype, [&](auto format) {
        withType("linear", dtype, [&](auto tag) {
            using Format = decltype(format);
            using T = typename decltype(tag)::Type;
            const DeviceTiles<Format> tiles{weight.as<unsigned char>(), weight.shape[1] / kColumnsOfGroup};
            const int64_t threads = (panel.rows + kRowsOfTile - 1) / kRowsOfTile * kRowsOfTile * panel.groups;
            launch(stream, {blocksFor(threads, kThreads), kThreads}, widenKernel<T, Format>, tiles, panel,
                   static_cast<T*>(out));
        });
    });
}

int64_t bytesOf(DType dtype) {
    return static_cast<int64_t>(dtypeBytes(dtype, 1));
}

// How many of `count` rows or columns with `length` elements a panel holds.
int64_t panelWidth(int64_t count, int64_t length, DType dtype) {
    const int64_t fitting = kPanelBytes / (length * bytesOf(dtype)) / kPanelMultiple * kPanelMultiple;
    return std::min(count, std::max(kPanelMultiple, fitting));
}

size_t panelBytes(const Shape& weight, DType dtype) {
    const int64_t rows = panelWidth(weight[0], weight[1], dtype) * weight[1];
    const int64_t columns = panelWidth(weight[1], weight[0], dtype) * weight[0];
    return alignedBytes(static_cast<size_t>(std::max(rows, columns) * bytesOf(dtype)));
}

}  // namespace

size_t tiledWorkspaceBytes(int64_t rows, const Shape& weight, DType inputs) {
    return panelBytes(weight, inputs) + gemmWorkspaceBytes(rows, std::max(weight[0], weight[1]));
}

void multiplyTiled(Stream& stream, const GemmProblem& problem, const ConstView& weight, void* workspace) {
    auto* gemmPart = static_cast<std::byte*>(workspace) + panelBytes(weight.shape, problem.inputs);
    const int64_t width = panelWidth(problem.n, problem.k, problem.inputs);
    for (int64_t first = 0; first < problem.n && problem.m > 0; first += width) {
        const int64_t count = std::min(width, problem.n - first);
        const Panel panel = problem.isTransposedB
                                ? Panel{first, count, 0, problem.k / kColumnsOfGroup}
                                : Panel{0, problem.k, first / kColumnsOfGroup, count / kColumnsOfGroup};
        widen(stream, weight, panel, problem.inputs, workspace);
        GemmProblem part = problem;
        part.n = count;
        part.b = workspace;
        part.strideB = problem.isTransposedB ? problem.k : count;
        part.c = static_cast<std::byte*>(problem.c) + first * bytesOf(problem.output);
        if (part.bias != nullptr) {
            part.bias = static_cast<const std::byte*>(problem.bias) + first * bytesOf(problem.inputs);
        }
        multiplyDense(stream, part, gemmPart);
    }
}

}  // namespace wb::kernels::cuda
