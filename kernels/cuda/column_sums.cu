// SPDX-License-Identifier: Apache-2.0
// out[c] += sum over p of partials[p, c]
#include "kernels/cuda/column_sums.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kColumns = 32;
constexpr int kGroups = 16;  // rows of partial sums that are on their way together

__global__ void __launch_bounds__(kColumns* kGroups)
    addPartialSumsKernel(const float* partials, int64_t count, int64_t columns, float* out) {
    __shared__ float sums[kGroups][kColumns];
    const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
    float sum = 0;
    if (column < columns) {
        for (int64_t p = threadIdx.y; p < count; p += kGroups) sum += partials[p * columns + column];
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || column >= columns) return;
    float total = 0;
#pragma unroll
    for (int y = 0; y < kGroups; ++y) total += sums[y][threadIdx.x];
    out[column] += total;
}

}  // namespace

void addPartialSums(const Stream& stream, const float* partials, int64_t count, int64_t columns, float* out) {
    launch(stream, {blocksFor(columns, kColumns), dim3(kColumns, kGroups)}, addPartialSumsKernel, partials, count,
           columns, out);
}

}  // namespace wb::kernels::cuda
