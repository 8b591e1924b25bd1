// SPDX-License-Identifier: Apache-2.0
// How blocks that make 16 columns of a product of few rows end: for few_rows.cu and tiled_few_rows.cu only.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/few_rows.h"

namespace wb::kernels::cuda::few_rows {

inline constexpr int kThreads = 256;
inline constexpr int kWarps = kThreads / kWarpSize;
inline constexpr int kOutputs = 16;  // columns of out that a block makes

// T: of x and of the bias.
template <class T>
__device__ inline void storeOutput(const FewRowsProduct& p, int64_t row, int64_t column, float sum) {
    const int64_t index = row * p.outputs + column;
    float value = p.alpha * sum;
    if (p.bias != nullptr) value += toFloat(static_cast<const T*>(p.bias)[column]);
    if (p.isWide) {
        auto* out = static_cast<float*>(p.out);
        out[index] = p.accumulates ? out[index] + value : value;
    } else {
        auto* out = static_cast<T*>(p.out);
        out[index] = fromFloat<T>(p.accumulates ? toFloat(out[index]) + value : value);
    }
}

// What the warps add up, in shared memory.
template <int kTiles>
struct Shares {
    float values[kWarps][8 * kTiles][kOutputs];
};

// Adds the warps' shares in their order. Lane (g, t) of a warp brings rows 2t, 2t + 1 of each tile of 8 rows for two
// columns, counted from firstOutput. All threads of the block call.
template <class T, int kTiles>
__device__ inline void storeSums(const FewRowsProduct& p, int64_t firstOutput, const float (&sums)[kTiles][4],
                                 int firstColumn, int secondColumn, Shares<kTiles>& shares) {
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            shares.values[warp][8 * tile + 2 * t + i][firstColumn] = sums[tile][i];
            shares.values[warp][8 * tile + 2 * t + i][secondColumn] = sums[tile][2 + i];
        }
    }
    __syncthreads();
    const int row = static_cast<int>(threadIdx.x) / kOutputs;
    const int column = static_cast<int>(threadIdx.x) % kOutputs;
    if (row >= p.rows || firstOutput + column >= p.outputs) return;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) sum += shares.values[w][row][column];
    storeOutput<T>(p, row, firstOutput + column, sum);
}

}  // namespace wb::kernels::cuda::few_rows
