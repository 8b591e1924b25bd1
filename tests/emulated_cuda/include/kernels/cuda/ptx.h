// SPDX-License-Identifier: Apache-2.0
// The instructions of kernels/cuda/ptx.h for the emulated GPU; what each does is said there.
#pragma once

#include "tests/emulated_cuda/emulator.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace wb::kernels::cuda {

template <class T>
T* dynamicShared() {
    return static_cast<T*>(emulated::dynamicSharedMemory());
}

inline int computedHere(int x) {
    return x;
}

inline float exp2Approximately(float x) {
    return std::exp2(x);
}

namespace detail {

inline void requireAligned(const void* pointer, size_t bytes) {
    if (reinterpret_cast<uintptr_t>(pointer) % bytes == 0) return;
    std::fprintf(stderr, "emulated GPU: an address is not aligned to %zu bytes\n", bytes);
    std::abort();
}

inline void copyAsync(void* shared, const void* global, size_t bytes, bool present) {
    requireAligned(shared, bytes);
    if (present) requireAligned(global, bytes);
    emulated::copyLater(shared, global, bytes, present ? bytes : 0);
}

inline void loadMatrices(uint32_t (&out)[4], const void* row, bool isTransposed) {
    requireAligned(row, 16);
    const emulated::Payload* payloads = emulated::exchange(~0U, &row, sizeof(row));
    const int lane = emulated::laneIndex();
    const int g = lane / 4;
    const int t = lane % 4;
    for (int i = 0; i < 4; ++i) {
        uint16_t pair[2];
        for (int j = 0; j < 2; ++j) {
            const int matrixRow = isTransposed ? 2 * t + j : g;
            const int column = isTransposed ? g : 2 * t + j;
            const auto* start =
                static_cast<const unsigned char*>(emulated::laneValue<const void*>(payloads, 8 * i + matrixRow));
            std::memcpy(&pair[j], start + 2 * column, 2);
        }
        std::memcpy(&out[i], pair, 4);
    }
    // The rows belong to shared memory, which others may write once this lane has gone on.
    emulated::exchange(~0U, nullptr, 0);
}

template <class T>
float wide(T x);
template <>
inline float wide(__nv_bfloat16 x) {
    return __bfloat162float(x);
}
template <>
inline float wide(__half x) {
    return __half2float(x);
}

}  // namespace detail

inline void copyAsync16(void* shared, const void* global, bool present = true) {
    detail::copyAsync(shared, global, 16, present);
}
inline void copyAsync4(void* shared, const void* global, bool present = true) {
    detail::copyAsync(shared, global, 4, present);
}
inline void commitCopies() {
    emulated::commitCopies();
}
template <int kInFlight>
void waitForCopies() {
    emulated::waitForCopies(kInFlight);
}

inline void loadMatrices(uint32_t (&out)[4], const void* row) {
    detail::loadMatrices(out, row, false);
}
inline void loadMatricesTransposed(uint32_t (&out)[4], const void* row) {
    detail::loadMatrices(out, row, true);
}

template <class T>
void multiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    struct Fragments {
        T a[4][2];
        T b[2][2];
    };
    Fragments mine;
    std::memcpy(static_cast<void*>(mine.a), a, sizeof(mine.a));
    std::memcpy(static_cast<void*>(mine.b[0]), &b0, 4);
    std::memcpy(static_cast<void*>(mine.b[1]), &b1, 4);
    const emulated::Payload* payloads = emulated::exchange(~0U, &mine, sizeof(mine));
    const int g = emulated::laneIndex() / 4;
    const int t = emulated::laneIndex() % 4;
    // Columns 2q, 2q+1 (+8) of rows g and g+8 of a are with lane 4g+q, the same rows of column n of b with lane 4n+q.
    for (int q = 0; q < 4; ++q) {
        const auto rows = emulated::laneValue<Fragments>(payloads, 4 * g + q);
        for (int column = 0; column < 2; ++column) {
            const auto columns = emulated::laneValue<Fragments>(payloads, 4 * (2 * t + column) + q);
            for (int half = 0; half < 2; ++half) {
                for (int j = 0; j < 2; ++j) {
                    const float b = detail::wide(columns.b[half][j]);
                    c[column] += detail::wide(rows.a[2 * half][j]) * b;
                    c[2 + column] += detail::wide(rows.a[2 * half + 1][j]) * b;
                }
            }
        }
    }
}

template <class T>
uint32_t packPair(float first, float second) {
    const T pair[2] = {T(first), T(second)};
    uint32_t bits;
    std::memcpy(&bits, pair, sizeof(bits));
    return bits;
}

inline uint32_t subtractBf16Pairs(uint32_t a, uint32_t b) {
    const auto wide = [](uint32_t bits) { return std::bit_cast<float>(bits); };
    return packPair<__nv_bfloat16>(wide(a << 16) - wide(b << 16), wide(a & 0xFFFF0000U) - wide(b & 0xFFFF0000U));
}

inline void waitAtBarrier(int id, int threads) {
    emulated::waitAtBarrier(id, threads);
}

}  // namespace wb::kernels::cuda
