// SPDX-License-Identifier: Apache-2.0
// Stands in for CUDA's header of this name when kernels/cuda is compiled for the emulated GPU (emulator.h): what the
// kernels and their host code use of the language and of the runtime, and no more.
#pragma once

#include "tests/emulated_cuda/emulator.h"
#include "tests/emulated_cuda/include/emulated_runtime.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static thread_local
#define __constant__ static const
#define __launch_bounds__(...)
#define __grid_constant__

namespace emulated {

// One coordinate of the running thread: reading it asks the emulator.
template <const Index& (*kPlace)(), unsigned Index::*kAxis>
struct Coordinate {
    operator unsigned() const { return kPlace().*kAxis; }  // NOLINT: stands for a number
};
template <const Index& (*kPlace)()>
struct Coordinates {
    Coordinate<kPlace, &Index::x> x;
    Coordinate<kPlace, &Index::y> y;
    Coordinate<kPlace, &Index::z> z;
};

}  // namespace emulated

inline constexpr emulated::Coordinates<emulated::threadIndex> threadIdx{};
inline constexpr emulated::Coordinates<emulated::blockIndex> blockIdx{};
inline constexpr emulated::Coordinates<emulated::blockSize> blockDim{};
inline constexpr emulated::Coordinates<emulated::gridSize> gridDim{};

struct dim3 {
    unsigned x = 1;
    unsigned y = 1;
    unsigned z = 1;

    constexpr dim3() = default;
    constexpr dim3(unsigned xs, unsigned ys = 1, unsigned zs = 1) : x(xs), y(ys), z(zs) {}  // NOLINT: as CUDA's
};

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) {
    return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}
inline int2 make_int2(int x, int y) {
    return {x, y};
}
inline int4 make_int4(int x, int y, int z, int w) {
    return {x, y, z, w};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
    return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}

inline constexpr int warpSize = 32;

inline void __syncthreads() {
    emulated::waitAtBarrier(0, 0);
}
inline void __syncwarp(unsigned mask = ~0U) {
    emulated::exchange(mask, nullptr, 0);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) {}

namespace emulated {

template <class T>
T laneValue(const Payload* payloads, int lane) {
    T value;
    std::memcpy(&value, payloads[lane].bytes, sizeof(T));
    return value;
}
// Lane `source` of the group of `width` lanes that the caller is in.
template <class T>
T shuffle(unsigned mask, T value, int source, int width) {
    const Payload* payloads = exchange(mask, &value, sizeof(T));
    const int group = laneIndex() / width * width;
    return laneValue<T>(payloads, group + (source % width + width) % width);
}

}  // namespace emulated

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
    return emulated::shuffle(mask, value, lane, width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = 32) {
    return emulated::shuffle(mask, value, (emulated::laneIndex() % width) ^ laneMask, width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int lane = emulated::laneIndex() % width;
    const int source = lane + static_cast<int>(delta);
    return emulated::shuffle(mask, value, source < width ? source : lane, width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int lane = emulated::laneIndex() % width;
    const int source = lane - static_cast<int>(delta);
    return emulated::shuffle(mask, value, source >= 0 ? source : lane, width);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    const int mine = predicate != 0 ? 1 : 0;
    const emulated::Payload* payloads = emulated::exchange(mask, &mine, sizeof(mine));
    unsigned votes = 0;
    for (int lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1U) != 0 && emulated::laneValue<int>(payloads, lane) != 0) votes |= 1U << lane;
    }
    return votes;
}
inline int __any_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, predicate) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, predicate) == mask ? 1 : 0;
}
inline unsigned __activemask() {
    return ~0U;
}

// Fast forms with the precision of the slow ones: what depends on the difference must not be tested here.
inline float __expf(float x) {
    return std::exp(x);
}
inline float __logf(float x) {
    return std::log(x);
}
inline float __fdividef(float x, float y) {
    return x / y;
}
inline float rsqrtf(float x) {
    return 1.0F / std::sqrt(x);
}
inline float __frsqrt_rn(float x) {
    return 1.0F / std::sqrt(x);
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return std::fma(a, b, c);
}
inline float __fsqrt_rn(float x) {
    return std::sqrt(x);
}
inline int __float2int_rn(float x) {
    return static_cast<int>(std::nearbyint(x));
}
inline int __float_as_int(float x) {
    return std::bit_cast<int>(x);
}
inline float __int_as_float(int x) {
    return std::bit_cast<float>(x);
}
inline unsigned __float_as_uint(float x) {
    return std::bit_cast<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
    return std::bit_cast<float>(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(uint64_t{a} * b >> 32);
}
inline int __popc(unsigned x) {
    return std::popcount(x);
}
inline int __clz(int x) {
    return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
    return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
// Sum of the products of four signed bytes, and c.
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; ++i) c += static_cast<int8_t>(a >> (8 * i)) * static_cast<int8_t>(b >> (8 * i));
    return c;
}
// Four of the eight bytes of (low, high), chosen by the nibbles of `selector`.
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
    const uint64_t bytes = uint64_t{high} << 32 | low;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i) {
        result |= static_cast<unsigned>(bytes >> (8 * (selector >> (4 * i) & 7U)) & 0xFFU) << (8 * i);
    }
    return result;
}
template <class T>
T __ldg(const T* pointer) {
    return *pointer;
}
template <class T>
T __ldcs(const T* pointer) {
    return *pointer;
}
template <class T>
T __ldcg(const T* pointer) {
    return *pointer;
}
template <class T>
void __stcs(T* pointer, T value) {
    *pointer = value;
}
// Blocks run one after another, so atomics are plain.
template <class T>
T atomicAdd(T* target, T value) {
    return std::exchange(*target, static_cast<T>(*target + value));
}
template <class T>
T atomicMax(T* target, T value) {
    return std::exchange(*target, std::max(*target, value));
}
template <class T>
T atomicExch(T* target, T value) {
    return std::exchange(*target, value);
}
template <class T>
T atomicCAS(T* target, T expected, T value) {
    const T old = *target;
    if (old == expected) *target = value;
    return old;
}
[[noreturn]] inline void __trap() {
    std::abort();
}

using std::isfinite;
using std::max;
using std::min;

struct cudaLaunchConfig_t {
    dim3 gridDim;
    dim3 blockDim;
    size_t dynamicSmemBytes = 0;
    cudaStream_t stream = nullptr;
    const void* attrs = nullptr;
    unsigned numAttrs = 0;
};

template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
    const emulated::Shape shape{{config->gridDim.x, config->gridDim.y, config->gridDim.z},
                                {config->blockDim.x, config->blockDim.y, config->blockDim.z},
                                config->dynamicSmemBytes};
    std::tuple<std::decay_t<Params>...> values(std::forward<Args>(args)...);
    return emulated::enqueue(
        config->stream, [shape, kernel, values] { emulated::runGrid(shape, [&] { std::apply(kernel, values); }); });
}

template <class Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel /*kernel*/) {
    *attributes = {};
    return cudaSuccess;
}

template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel /*kernel*/, cudaFuncAttribute /*attribute*/, int /*value*/) {
    return cudaSuccess;
}
