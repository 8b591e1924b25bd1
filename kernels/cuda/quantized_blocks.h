// SPDX-License-Identifier: Apache-2.0
// Tiles of quantised blocks (kernels/base/quantized_tiles.h) for device code: where a group of 32 columns lies, and its
// numbers as BF16 and as F32.
#pragma once

#include "kernels/cuda/device.h"

#include "kernels/base/dtype.h"
#include "kernels/base/error.h"
#include "kernels/base/nf4_block.h"

#include <bit>
#include <string>

namespace wb::kernels::cuda {

inline constexpr int64_t kRowsOfTile = 16;
inline constexpr int64_t kColumnsOfGroup = 32;

// Four numbers of a row of 16 bits each, as (first, third) and (second, fourth).
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

// What each of 16 nibbles stands for, 16 bits, by bytes: the low bytes of four entries each, then the high ones.
struct NibbleTable {
    uint32_t low[4] = {};
    uint32_t high[4] = {};
};
template <class EntryOf>
constexpr NibbleTable makeNibbleTable(EntryOf entryOf) {
    NibbleTable table;
    for (uint32_t n = 0; n < 16; ++n) {
        const uint32_t entry = entryOf(n);
        table.low[n / 4] |= (entry & 0xFFU) << (8 * (n % 4));
        table.high[n / 4] |= (entry >> 8 & 0xFFU) << (8 * (n % 4));
    }
    return table;
}

// The entries of the low nibbles of four bytes.
__device__ inline NumberPairs lookUp(const NibbleTable& table, uint32_t bytes) {
    const uint32_t spread = bytes & 0x0F0F0F0FU;
    const uint32_t nibbles = __byte_perm(spread | spread >> 4, 0, 0x4420);
    const uint32_t place = nibbles & 0x7777U;
    const uint32_t half = 0x3210U | (nibbles & 0x8888U) >> 1;
    const auto bytesOf = [&](const uint32_t(&entries)[4]) {
        return __byte_perm(__byte_perm(entries[0], entries[1], place), __byte_perm(entries[2], entries[3], place),
                           half);
    };
    const uint32_t low = bytesOf(table.low);
    const uint32_t high = bytesOf(table.high);
    return {__byte_perm(low, high, 0x6240), __byte_perm(low, high, 0x7351)};
}

constexpr uint32_t bf16BitsOf(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
}
constexpr float nf4Level(uint32_t n) {
    return static_cast<float>(kNf4Levels[n]);
}
// A level has 15 bits: the nearest BF16 number and what it leaves are it exactly.
constexpr float nf4First(uint32_t n) {
    return std::bit_cast<float>(bf16BitsOf(nf4Level(n)) << 16);
}

}  // namespace detail

// Of a format: dwords of a group in a row; groups that share a scale; dwords that lane t of a quad takes, t and then
// t + 4, which hold columns 16 half + 4 t .. + 3 of the group; and the BF16 numbers whose sum a number is.
//   numbers<part>(dwords of the lane, half)  four columns as BF16
//   widen(dwords of the group, quad)         columns 4 quad .. + 3 as F32
// A value is scale * kUnit * number.
struct Q8TileFormat {
    static constexpr int kDwords = 8;
    static constexpr int kGroupsOfBlock = 1;
    static constexpr int kDwordsOfLane = 2;
    static constexpr int kParts = 1;
    static constexpr float kUnit = 1.0F;

    template <int kPart>
    __device__ static NumberPairs numbers(const uint32_t (&dwords)[2], int half) {
        return {detail::bytesAsNumbers(dwords[half]), detail::bytesAsNumbers(dwords[half] >> 8)};
    }
    __device__ static void widen(const uint32_t (&dwords)[kDwords], int quad, float (&out)[4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i)
            out[i] = static_cast<float>(static_cast<int>(dwords[quad] >> (8 * i) & 0xFFU) - 128);
    }
};

struct Q4TileFormat {
    static constexpr int kDwords = 4;
    static constexpr int kGroupsOfBlock = 1;
    static constexpr int kDwordsOfLane = 1;
    static constexpr int kParts = 1;
    static constexpr float kUnit = 1.0F;

    template <int kPart>
    __device__ static NumberPairs numbers(const uint32_t (&dwords)[1], int half) {
        const uint32_t nibbles = dwords[0] >> (4 * half);
        return {detail::nibblesAsNumbers(nibbles), detail::nibblesAsNumbers(nibbles >> 8)};
    }
    __device__ static void widen(const uint32_t (&dwords)[kDwords], int quad, float (&out)[4]) {
        const uint32_t nibbles = dwords[quad % 4] >> (quad / 4 * 4);
#pragma unroll
        for (int i = 0; i < 4; ++i) out[i] = static_cast<float>(static_cast<int>(nibbles >> (8 * i) & 15U) - 8);
    }
};

struct Nf4TileFormat {
    static constexpr int kDwords = 4;
    static constexpr int kGroupsOfBlock = 2;
    static constexpr int kDwordsOfLane = 1;
    static constexpr int kParts = 2;
    static constexpr float kUnit = kNf4Unit;

    template <int kPart>
    __device__ static NumberPairs numbers(const uint32_t (&dwords)[1], int half) {
        constexpr detail::NibbleTable kTable = detail::makeNibbleTable([](uint32_t n) {
            const float first = detail::nf4First(n);
            return detail::bf16BitsOf(kPart == 0 ? first : detail::nf4Level(n) - first);
        });
        return detail::lookUp(kTable, dwords[0] >> (4 * half));
    }
    __device__ static void widen(const uint32_t (&dwords)[kDwords], int quad, float (&out)[4]) {
        constexpr detail::NibbleTable kTable =
            detail::makeNibbleTable([](uint32_t n) { return static_cast<uint32_t>(kNf4Levels[n]) & 0xFFFFU; });
        const NumberPairs levels = detail::lookUp(kTable, dwords[quad % 4] >> (quad / 4 * 4));
        const auto wide = [](uint32_t bits) { return static_cast<float>(static_cast<int16_t>(bits)); };
        out[0] = wide(levels.even);
        out[1] = wide(levels.odd);
        out[2] = wide(levels.even >> 16);
        out[3] = wide(levels.odd >> 16);
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
        case DType::NF4x16: return body(Nf4TileFormat{});
        default: throw Error{ErrorCode::Unsupported, std::string("CUDA has no tiles of ") + dtypeName(tiles)};
    }
}

}  // namespace wb::kernels::cuda
