// SPDX-License-Identifier: Apache-2.0
// What device code of this folder shares: element types, packs of 16 bytes, sums over a warp and over a block.
#pragma once

#include "kernels/cuda/ptx.h"

#include <cmath>
#include <cstdint>

namespace wb::kernels::cuda {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

__device__ inline float toFloat(float x) {
    return x;
}
__device__ inline float toFloat(__nv_bfloat16 x) {
    return __bfloat162float(x);
}
__device__ inline float toFloat(__half x) {
    return __half2float(x);
}

// Rounds to nearest even.
template <class T>
__device__ inline T fromFloat(float x);
template <>
__device__ inline float fromFloat<float>(float x) {
    return x;
}
template <>
__device__ inline __nv_bfloat16 fromFloat<__nv_bfloat16>(float x) {
    return __float2bfloat16_rn(x);
}
template <>
__device__ inline __half fromFloat<__half>(float x) {
    return __float2half_rn(x);
}

// N neighbouring elements that move in one access; the address must be a multiple of their size.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
    T values[N];
};
// Elements of T in 16 bytes, the widest access.
template <class T>
inline constexpr int kPackOf = 16 / static_cast<int>(sizeof(T));

template <int N, class T>
__device__ inline Pack<T, N> loadPack(const T* from) {
    return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <int N, class T>
__device__ inline void storePack(T* to, const Pack<T, N>& pack) {
    *reinterpret_cast<Pack<T, N>*>(to) = pack;
}
// Whether rows of `columns` elements from these addresses on can be read in packs of 16 bytes.
template <class T, class... Pointers>
inline bool canPack(int64_t columns, const Pointers*... pointers) {
    return columns % kPackOf<T> == 0 && ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

// The same bits in every lane: the tree is the same whatever the lane.
__device__ inline float warpSum(float x) {
    for (int step = kWarpSize / 2; step > 0; step /= 2) x += __shfl_xor_sync(kAllLanes, x, step);
    return x;
}
__device__ inline float warpMax(float x) {
    for (int step = kWarpSize / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, step));
    return x;
}

namespace detail {

template <int kThreads, class Reduce>
__device__ inline float blockReduce(float x, float neutral, float* scratch, Reduce reduce) {
    constexpr int kWarps = kThreads / kWarpSize;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    x = reduce(x);
    __syncthreads();  // the scratch may still be read from the last call
    if (lane == 0) scratch[warp] = x;
    __syncthreads();
    return reduce(lane < kWarps ? scratch[lane] : neutral);
}

}  // namespace detail

// Over a block of kThreads threads along x, a multiple of 32; all get the result. scratch: kThreads / 32 floats of
// shared memory. Every thread of the block must call.
template <int kThreads>
__device__ inline float blockSum(float x, float* scratch) {
    return detail::blockReduce<kThreads>(x, 0.0F, scratch, [](float y) { return warpSum(y); });
}
template <int kThreads>
__device__ inline float blockMax(float x, float* scratch) {
    return detail::blockReduce<kThreads>(x, -INFINITY, scratch, [](float y) { return warpMax(y); });
}

}  // namespace wb::kernels::cuda
