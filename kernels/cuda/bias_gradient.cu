// SPDX-License-Identifier: Apache-2.0
// sums[c] += sum over r of matrix[r, c]. Rows are cut into slices whose sums are added in their order; within a slice
// each row of threads takes every eighth row, and the eight sums are added in their order.
#include "kernels/cuda/bias_gradient.h"

#include "kernels/cuda/device.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kColumns = 32;  // of a block
constexpr int kLines = 8;     // rows of threads
constexpr int64_t kSliceRows = 128;
constexpr int64_t kMaxSlices = 32;  // more are not needed to fill a device, and each is written and read once

int64_t slicesOf(int64_t rows) {
    return std::clamp<int64_t>((rows + kSliceRows - 1) / kSliceRows, 1, kMaxSlices);
}

// Slice blockIdx.y goes to sums[blockIdx.y * columns], or is added to sums if there is only one.
template <class T>
__global__ void __launch_bounds__(kColumns* kLines)
    biasGradientKernel(const T* matrix, int64_t rows, int64_t columns, int64_t stride, float* sums) {
    __shared__ float lines[kLines][kColumns];
    const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
    const int64_t slices = gridDim.y;
    const int64_t begin = rows * blockIdx.y / slices;
    const int64_t end = rows * (blockIdx.y + 1) / slices;
    float sum = 0;
    if (column < columns) {
#pragma unroll 8
        for (int64_t row = begin + threadIdx.y; row < end; row += kLines) sum += toFloat(matrix[row * stride + column]);
    }
    lines[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns) return;
    float total = slices > 1 ? 0.0F : sums[column];
#pragma unroll
    for (int line = 0; line < kLines; ++line) total += lines[line][threadIdx.x];
    sums[blockIdx.y * columns + column] = total;
}

__global__ void __launch_bounds__(kColumns* kLines)
    addSlicesKernel(const float* slices, int64_t count, int64_t columns, float* sums) {
    const int64_t column = int64_t{blockIdx.x} * kColumns * kLines + threadIdx.x;
    if (column >= columns) return;
    float total = sums[column];
    for (int64_t slice = 0; slice < count; ++slice) total += slices[slice * columns + column];
    sums[column] = total;
}

}  // namespace

size_t biasGradientBytes(int64_t rows, int64_t columns) {
    const int64_t slices = slicesOf(rows);
    return slices > 1 ? static_cast<size_t>(slices * columns) * sizeof(float) : 0;
}

void addBiasGradient(const Stream& stream, const void* matrix, DType dtype, int64_t rows, int64_t columns,
                     int64_t stride, float* sums, void* workspace) {
    const int64_t slices = slicesOf(rows);
    float* target = slices > 1 ? static_cast<float*>(workspace) : sums;
    withType("bias gradient", dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        launch(stream, {dim3(blocksFor(columns, kColumns), static_cast<unsigned>(slices)), dim3(kColumns, kLines)},
               biasGradientKernel<T>, static_cast<const T*>(matrix), rows, columns, stride, target);
    });
    if (slices == 1) return;
    launch(stream, {blocksFor(columns, kColumns * kLines), kColumns * kLines}, addSlicesKernel, target, slices, columns,
           sums);
}

}  // namespace wb::kernels::cuda
