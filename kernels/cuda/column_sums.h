// SPDX-License-Identifier: Apache-2.0
// Sums over the rows of a matrix, column by column, in a fixed order and without atomics: every strip of rows leaves
// its sums in the workspace as a row of [strips, C], and a second sweep adds these in order.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

#include <algorithm>

namespace wb::kernels::cuda {

inline constexpr int kSumColumns = 32;  // packs of columns a block covers
inline constexpr int kSumRows = 8;      // rows it takes at a time

// Enough strips to fill a large device with their blocks; more would only cost more partial sums.
inline int64_t stripsOf(int64_t rows, int64_t columns) {
    constexpr int64_t kWantedBlocks = 528;
    constexpr int64_t kBlockColumns = 8 * kSumColumns;
    const int64_t across = std::max<int64_t>(1, (columns + kBlockColumns - 1) / kBlockColumns);
    return std::clamp<int64_t>(std::min(kWantedBlocks / across, rows / kSumRows), 1, kWantedBlocks);
}

// out[c] += sum over p of partials[p, c], in the order of p within fixed groups.  partials [count, columns].
void addPartialSums(const Stream& stream, const float* partials, int64_t count, int64_t columns, float* out);

// partials[strip, c] = sum of the strip's terms; term.at<N>(row, column, terms) gives those of N neighbouring columns.
template <int N, class Term>
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    columnSumsKernel(int64_t rows, int columns, Term term, float* partials) {
    __shared__ float sums[kSumRows][kSumColumns * N];
    const int column = static_cast<int>(blockIdx.x * kSumColumns + threadIdx.x) * N;
    const int64_t perStrip = (rows + gridDim.y - 1) / gridDim.y;
    const int64_t first = perStrip * blockIdx.y;
    const int64_t end = min(first + perStrip, rows);
    float sum[N] = {};
    if (column < columns) {
        for (int64_t row = first + threadIdx.y; row < end; row += kSumRows) {
            float terms[N];
            term.template at<N>(row, column, terms);
#pragma unroll
            for (int i = 0; i < N; ++i) sum[i] += terms[i];
        }
    }
#pragma unroll
    for (int i = 0; i < N; ++i) sums[threadIdx.y][threadIdx.x * N + i] = sum[i];
    __syncthreads();
    const int base = static_cast<int>(blockIdx.x) * kSumColumns * N;
    for (int c = static_cast<int>(threadIdx.y * kSumColumns + threadIdx.x); c < kSumColumns * N;
         c += kSumColumns * kSumRows) {
        if (base + c >= columns) continue;
        float total = 0;
#pragma unroll
        for (int y = 0; y < kSumRows; ++y) total += sums[y][c];
        partials[int64_t{blockIdx.y} * columns + base + c] = total;
    }
}

// out[c] += sum over rows of the terms of column c. partials: F32 [strips, columns] of scratch.
template <int kWidth, class Term>
void addColumnSums(const Stream& stream, int64_t rows, int64_t columns, bool isPacked, const Term& term, int64_t strips,
                   float* partials, float* out) {
    const int width = isPacked ? kWidth : 1;
    const dim3 grid(blocksFor(columns, kSumColumns * width), static_cast<unsigned>(strips));
    launch(stream, {grid, dim3(kSumColumns, kSumRows)},
           isPacked ? columnSumsKernel<kWidth, Term> : columnSumsKernel<1, Term>, rows, static_cast<int>(columns), term,
           partials);
    addPartialSums(stream, partials, strips, columns, out);
}

}  // namespace wb::kernels::cuda
