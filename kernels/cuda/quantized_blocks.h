// SPDX-License-Identifier: Apache-2.0
// Tiles of quantised blocks (kernels/base/quantized_tiles.h) for device code: where a group of 32 columns lies, and its
// numbers as BF16.
#pragma once

#include "kernels/cuda/device.h"

#include "kernels/base/dtype.h"
#include "kernels/base/error.h"

#include <string>

namespace wb::kernels::cuda {

inline constexpr int64_t kRowsOfTile = 16;
inline constexpr int64_t kColumnsOfGroup = 32;

// Four numbers of a row, exactly, as (first, third) and (second, fourth).
struct NumberPairs {
    uint32_t even;
    uint32_t odd;
};

namespace detail {

// BF16 has 7 bits behind the point: 128 + i, 0 <= i < 128, is 0x4300 + i.
inline constexpr uint32_t k128 = 0x43004300U;

// Bytes 0 and 2 hold numbers plus 128.
__device__ inline uint32_t bytesAsNumbers(uint32_t bytes) {
    const uint32_t low = (bytes & 0x007F007FU) | k128;
    const uint32_t excess = (bytes & 0x00800080U) ^ 0x43804380U;  // 128 if the eighth bit is set, else 256
    return subtractBf16Pairs(low, excess);
}
// Nibbles 0 and 4 hold numbers plus 8.
__device__ inline uint32_t nibblesAsNumbers(uint32_t nibbles) {
    return subtractBf16Pairs((nibbles & 0x000F000FU) | k128, k128 | 0x00080008U);
}

}  // namespace detail

// Of a format: dwords of a group in a row; groups that share a scale; and, of dword t of lane t of a quad, columns
// 16 half + 4 t .. + 3 of the group.
struct Q8TileFormat {
    static constexpr int kDwords = 8;
    static constexpr int kGroupsOfBlock = 1;
    static constexpr int kDwordsOfLane = 2;  // t and t + 4

    __device__ static NumberPairs numbers(const uint32_t (&dwords)[2], int half) {
        return {detail::bytesAsNumbers(dwords[half]), detail::bytesAsNumbers(dwords[half] >> 8)};
    }
    // Number i of a group whose dwords lie side by side.
    __device__ static float number(const uint32_t (&dwords)[kDwords], int i) {
        return static_cast<float>(static_cast<int>(dwords[i / 4] >> (8 * (i % 4)) & 0xFFU) - 128);
    }
};

struct Q4TileFormat {
    static constexpr int kDwords = 4;
    static constexpr int kGroupsOfBlock = 1;
    static constexpr int kDwordsOfLane = 1;

    __device__ static NumberPairs numbers(const uint32_t (&dwords)[1], int half) {
        const uint32_t nibbles = dwords[0] >> (4 * half);
        return {detail::nibblesAsNumbers(nibbles), detail::nibblesAsNumbers(nibbles >> 8)};
    }
    __device__ static float number(const uint32_t (&dwords)[kDwords], int i) {
        return static_cast<float>(static_cast<int>(dwords[i % 16 / 4] >> (8 * (i % 4) + i / 16 * 4) & 15U) - 8);
    }
};

// The tiles of a matrix with `groups` groups a row.
template <class Format>
struct DeviceTiles {
    const unsigned char* data;
    int64_t groups;

    __device__ int64_t scaleBytes() const { return groups / Format::kGroupsOfBlock * kRowsOfTile * 2; }
    __device__ int64_t tileBytes() const { return scaleBytes() + groups * Format::kDwords * kRowsOfTile * 4; }
    __device__ const __half* scales(int64_t tile, int64_t group) const {
        const auto* first = reinterpret_cast<const __half*>(data + tile * tileBytes());
        return first + group / Format::kGroupsOfBlock * kRowsOfTile;
    }
    // Dword j of the group of all rows of the tile.
    __device__ const uint32_t* dwords(int64_t tile, int64_t group, int j) const {
        const auto* first = reinterpret_cast<const uint32_t*>(data + tile * tileBytes() + scaleBytes());
        return first + (group * Format::kDwords + j) * kRowsOfTile;
    }
};

// Calls body(Format{}) for a type of tiles; Unsupported for others.
template <class Body>
void withTiles(DType tiles, const Body& body) {
    switch (tiles) {
        case DType::Q8_0x16: return body(Q8TileFormat{});
        case DType::Q4_0x16: return body(Q4TileFormat{});
        default: throw Error{ErrorCode::Unsupported, std::string("CUDA has no tiles of ") + dtypeName(tiles)};
    }
}

}  // namespace wb::kernels::cuda
