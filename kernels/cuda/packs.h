// SPDX-License-Identifier: Apache-2.0
// Kernels in which every element of the output has a thread of its own: an operation is a struct with its pointers and
//   template <int N> __device__ void at(int64_t i) const                    elements i .. i + N - 1, or
//   template <int N> __device__ void at(int64_t row, int column) const      the same in a row,
// where N is kWidth, or 1 where addresses or lengths do not allow packs.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

#include <algorithm>
#include <bit>

namespace wb::kernels::cuda {

inline constexpr int kPackThreads = 256;

// Elements that a thread takes where types of several widths meet: 16 bytes of the widest.
template <class... Types>
inline constexpr int kCommonPack = std::min({kPackOf<Types>...});

template <int N, class Op>
__global__ void __launch_bounds__(kPackThreads) forPacksKernel(int64_t count, Op op) {
    const int64_t i = (int64_t{blockIdx.x} * kPackThreads + threadIdx.x) * N;
    if (i < count) op.template at<N>(i);
}

// All elements of arrays of `count` elements; isPacked: count and all addresses allow packs of kWidth.
template <int kWidth, class Op>
void forPacks(const Context& context, int64_t count, bool isPacked, const Op& op) {
    const Stream& stream = streamOf(context);
    if (isPacked) {
        launch(stream, {blocksFor(count, kPackThreads * kWidth), kPackThreads}, forPacksKernel<kWidth, Op>, count, op);
    } else {
        launch(stream, {blocksFor(count, kPackThreads), kPackThreads}, forPacksKernel<1, Op>, count, op);
    }
}

template <int N, class Op>
__global__ void __launch_bounds__(kPackThreads) forRowPacksKernel(int64_t rows, int columns, Op op) {
    const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
    const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * N;
    if (row < rows && column < columns) op.template at<N>(row, column);
}

namespace detail {

template <int N, class Op>
void launchRowPacks(const Context& context, int64_t rows, int64_t columns, const Op& op) {
    if (rows == 0 || columns == 0) return;
    const auto packs = static_cast<unsigned>((columns + N - 1) / N);
    const unsigned threads = std::min<unsigned>(std::bit_ceil(packs), kPackThreads);
    const dim3 block(threads, kPackThreads / threads);
    const dim3 grid(blocksFor(rows, block.y), blocksFor(packs, threads));
    launch(streamOf(context), {grid, block}, forRowPacksKernel<N, Op>, rows, static_cast<int>(columns), op);
}

}  // namespace detail

// All elements of a matrix.
template <int kWidth, class Op>
void forRowPacks(const Context& context, int64_t rows, int64_t columns, bool isPacked, const Op& op) {
    if (isPacked) {
        detail::launchRowPacks<kWidth>(context, rows, columns, op);
    } else {
        detail::launchRowPacks<1>(context, rows, columns, op);
    }
}

// Whether a pointer allows accesses of N elements.
template <int N, class T>
inline bool isAligned(const T* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % (N * sizeof(T)) == 0;
}

}  // namespace wb::kernels::cuda
