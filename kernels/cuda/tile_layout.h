// SPDX-License-Identifier: Apache-2.0
// Device side of quantised blocks (kernels/base/quantized_tiles.h): where a tile keeps scales and numbers, and dwords
// of a tile as floats, with the bits of the CPU's widening.
//
// A warp that wants 16 rows x 32 columns of a tile reads 64 kDwords neighbouring bytes: row r is dword 16 j + r of
// them. A dword of Q8_0 has columns 4j .. 4j+3 of its row; one of nibbles has those and columns 16+4j .. 16+4j+3.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/error.h"
#include "kernels/base/quantized_tiles.h"
#include "kernels/cuda/device.h"

namespace wb::kernels::cuda {

// Numbers in a dword of a tile.
template <class Format>
inline constexpr int kNumbersPerDword = Format::kDwords == 8 ? 4 : 8;

// A matrix in tiles with `groups` groups of 32 columns.
template <class Format, class Byte = const std::byte>
struct TileLayout {
    Byte* data;
    int64_t groups;

    __device__ int64_t scaleBytes() const {
        return groups / static_cast<int64_t>(Format::kGroups) * kTileRows * static_cast<int64_t>(sizeof(__half));
    }
    __device__ int64_t tileBytes() const {
        return groups / static_cast<int64_t>(Format::kGroups) * kTileRows *
               static_cast<int64_t>(sizeof(typename Format::Block));
    }
    // Sixteen half scales of group g of a tile, 32 bytes, aligned.
    __device__ auto* scales(int64_t tile, int64_t g) const {
        using Half = std::conditional_t<std::is_const_v<Byte>, const __half, __half>;
        const int64_t block = g / static_cast<int64_t>(Format::kGroups);
        return reinterpret_cast<Half*>(data + tile * tileBytes()) + block * kTileRows;
    }
    // 16 kDwords dwords of group g of a tile, aligned to 32 bytes: dword j of row r at [16 j + r].
    __device__ auto* dwords(int64_t tile, int64_t g) const {
        using Word = std::conditional_t<std::is_const_v<Byte>, const uint32_t, uint32_t>;
        return reinterpret_cast<Word*>(data + tile * tileBytes() + scaleBytes()) +
               g * static_cast<int64_t>(Format::kDwords) * kTileRows;
    }
};

// The levels of NF4 as a table in shared memory: call with 16 threads or more, then a barrier. Lanes that look up
// different levels hit different banks.
__device__ inline void copyNf4Levels(float* shared) {
    constexpr std::array<int32_t, 16> kLevels = kNf4Levels;
    if (threadIdx.x < 16) shared[threadIdx.x] = static_cast<float>(kLevels[threadIdx.x]);
}

// What the numbers of a block are multiplied with.
template <class Format>
__device__ inline float unitScale(__half scale) {
    return __fmul_rn(__half2float(scale), Format::kUnit);
}

// Number i of a dword of a tile as a float; value = unitScale * number. `levels`: of NF4, from copyNf4Levels.
template <class Format>
__device__ inline float numberAt(uint32_t dword, int i, const float* levels) {
    if constexpr (Format::kDwords == 8) {
        return static_cast<float>(static_cast<int>(dword >> (8 * i) & 0xFFU) - Format::kOffset);
    } else {
        const uint32_t nibble = dword >> (8 * (i % 4) + 4 * (i / 4)) & 15U;
        if constexpr (Format::kGroups == 2) return levels[nibble];
        return static_cast<float>(static_cast<int>(nibble) - Format::kOffset);
    }
}

// All numbers of a dword, in the order of columns above.
template <class Format>
__device__ inline void numbersOf(uint32_t dword, const float* levels, float (&numbers)[kNumbersPerDword<Format>]) {
#pragma unroll
    for (int i = 0; i < kNumbersPerDword<Format>; ++i) numbers[i] = numberAt<Format>(dword, i, levels);
}

// The column, within its group, of number i of dword j.
template <class Format>
__device__ constexpr int columnOf(int j, int i) {
    return 4 * j + i % 4 + 16 * (i / 4);
}

// Calls body.operator()<Format>() with the format of tiles, on the host.
template <class Body>
void withTileFormat(DType tiled, const Body& body) {
    switch (tiled) {
        case DType::Q8_0x16: return body.template operator()<Q8Tiles>();
        case DType::Q4_0x16: return body.template operator()<Q4Tiles>();
        case DType::NF4x16: return body.template operator()<Nf4Tiles>();
        default: break;
    }
    WB_CHECK(false, "the checks of the op let a type pass that is no tiles");
}

}  // namespace wb::kernels::cuda
