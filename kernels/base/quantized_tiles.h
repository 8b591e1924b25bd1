// SPDX-License-Identifier: Apache-2.0
// How a matrix of quantised blocks lies in memory for products (Q8_0x16, Q4_0x16).
//
// Sixteen rows make a tile, so that one vector load brings four columns of sixteen rows and each row of a product is
// one lane. With K columns in B = K / 32 blocks of D dwords (8 of Q8_0, 4 of Q4_0), a tile is
//   scales  [B][16]         half precision
//   quants  [B][D][16][4]   bytes: dword j of the block of each row; the bytes of Q8_0 plus 128, so that they are
//                           unsigned, those of Q4_0 as they are
// Tiles follow each other; the last one is filled up with blocks of zeros. This is a permutation of the blocks (and a
// flipped bit): rows come out again bit for bit.
#pragma once

#include "kernels/base/float_formats.h"
#include "kernels/base/q4_block.h"
#include "kernels/base/q8_block.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wb {

inline constexpr int64_t kTileRows = 16;
inline constexpr int64_t kBlockLength = 32;

struct Q8Tiles {
    using Block = Q8Block;
    static constexpr size_t kDwords = 8;
    static constexpr int kOffset = 128;  // what a stored number exceeds its value by
    static constexpr uint32_t kFlipped = 0x80808080U;

    // Number i of a block.
    static int number(const uint8_t* bytes, size_t i) { return bytes[i]; }
};

struct Q4Tiles {
    using Block = Q4Block;
    static constexpr size_t kDwords = 4;
    static constexpr int kOffset = 8;
    static constexpr uint32_t kFlipped = 0;

    static int number(const uint8_t* bytes, size_t i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }
};

// The tiles of a matrix with `blocks` blocks a row. Byte is const std::byte to read, std::byte to write.
template <class Format, class Byte>
class TileView {
public:
    TileView(Byte* data, int64_t blocks) : m_data(data), m_blocks(static_cast<size_t>(blocks)) {}

    size_t tileBytes() const { return m_blocks * kTileRows * sizeof(typename Format::Block); }

    // Block b of a row: two bytes of scale, and its dword j.
    Byte* scale(int64_t row, int64_t b) const { return tileOf(row) + (static_cast<size_t>(b) * 16 + lane(row)) * 2; }
    Byte* dword(int64_t row, int64_t b, size_t j) const {
        const size_t index = (static_cast<size_t>(b) * Format::kDwords + j) * 16 + lane(row);
        return tileOf(row) + m_blocks * 16 * sizeof(Float16) + index * 4;
    }

    // The bytes of a block side by side, as tiles hold them.
    void gather(int64_t row, int64_t b, uint8_t* bytes) const {
        for (size_t j = 0; j < Format::kDwords; ++j) std::memcpy(bytes + 4 * j, dword(row, b, j), 4);
    }
    float scaleValue(int64_t row, int64_t b) const {
        Float16 half;
        std::memcpy(&half, scale(row, b), sizeof(half));
        return static_cast<float>(half);
    }

private:
    Byte* tileOf(int64_t row) const { return m_data + static_cast<size_t>(row / kTileRows) * tileBytes(); }
    static size_t lane(int64_t row) { return static_cast<size_t>(row % kTileRows); }

    Byte* m_data;
    size_t m_blocks;
};

// Puts a block into its place, and takes it out again.
template <class Format>
void putBlock(const TileView<Format, std::byte>& tiles, int64_t row, int64_t b, const typename Format::Block& block) {
    const auto* source = reinterpret_cast<const std::byte*>(&block);
    std::memcpy(tiles.scale(row, b), source, sizeof(Float16));
    for (size_t j = 0; j < Format::kDwords; ++j) {
        uint32_t word = 0;
        std::memcpy(&word, source + sizeof(Float16) + 4 * j, sizeof(word));
        word ^= Format::kFlipped;
        std::memcpy(tiles.dword(row, b, j), &word, sizeof(word));
    }
}

template <class Format>
typename Format::Block takeBlock(const TileView<Format, const std::byte>& tiles, int64_t row, int64_t b) {
    typename Format::Block block;
    auto* target = reinterpret_cast<std::byte*>(&block);
    std::memcpy(target, tiles.scale(row, b), sizeof(Float16));
    for (size_t j = 0; j < Format::kDwords; ++j) {
        uint32_t word = 0;
        std::memcpy(&word, tiles.dword(row, b, j), sizeof(word));
        word ^= Format::kFlipped;
        std::memcpy(target + sizeof(Float16) + 4 * j, &word, sizeof(word));
    }
    return block;
}

}  // namespace wb
