// SPDX-License-Identifier: Apache-2.0
// How a matrix of quantised blocks lies in memory for products (Q8_0x16, Q4_0x16, NF4x16).
//
// Sixteen rows make a tile, so that one vector load brings four columns of sixteen rows and each row of a product is
// one lane. Columns are taken in groups of 32, G = K / 32 of them, of D dwords (8 of Q8_0, 4 of the others); a block is
// a group, of NF4 two. A tile is
//   scales  [blocks][16]    half precision
//   quants  [G][D][16][4]   bytes: dword j of the group of each row; the bytes of Q8_0 plus 128, so that they are
//                           unsigned, nibbles as they are: columns i and i + 16 of the group in byte i
// Tiles follow each other; the last one is filled up with blocks of zeros. This is a permutation of the blocks (and a
// flipped bit): rows come out again bit for bit.
#pragma once

#include "kernels/base/float_formats.h"
#include "kernels/base/nf4_block.h"
#include "kernels/base/q4_block.h"
#include "kernels/base/q8_block.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wb {

inline constexpr int64_t kTileRows = 16;
inline constexpr int64_t kGroupLength = 32;

struct Q8Tiles {
    using Block = Q8Block;
    static constexpr size_t kDwords = 8;
    static constexpr size_t kGroups = 1;  // in a block
    static constexpr int kOffset = 128;   // what a stored number exceeds its value by
    static constexpr uint32_t kFlipped = 0x80808080U;
    static constexpr float kUnit = 1.0F;  // value = scale * kUnit * (number - kOffset)

    // Number i of a group.
    static int number(const uint8_t* bytes, size_t i) { return bytes[i]; }
};

struct Q4Tiles {
    using Block = Q4Block;
    static constexpr size_t kDwords = 4;
    static constexpr size_t kGroups = 1;
    static constexpr int kOffset = 8;
    static constexpr uint32_t kFlipped = 0;
    static constexpr float kUnit = 1.0F;

    static int number(const uint8_t* bytes, size_t i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }
};

struct Nf4Tiles {
    using Block = Nf4Block;
    static constexpr size_t kDwords = 4;
    static constexpr size_t kGroups = 2;
    static constexpr int kOffset = 0;
    static constexpr uint32_t kFlipped = 0;
    static constexpr float kUnit = kNf4Unit;

    static int number(const uint8_t* bytes, size_t i) {
        return kNf4Levels[static_cast<size_t>(Q4Tiles::number(bytes, i))];
    }
};

// The tiles of a matrix with `groups` groups of 32 columns. Byte is const std::byte to read, std::byte to write.
template <class Format, class Byte>
class TileView {
public:
    TileView(Byte* data, int64_t groups) : m_data(data), m_groups(static_cast<size_t>(groups)) {}

    size_t tileBytes() const { return m_groups / Format::kGroups * kTileRows * sizeof(typename Format::Block); }
    size_t scaleBytes() const { return m_groups / Format::kGroups * kTileRows * sizeof(Float16); }

    // Group g of a row: two bytes of scale, and its dword j.
    Byte* scale(int64_t row, int64_t g) const {
        return tileOf(row) + (static_cast<size_t>(g) / Format::kGroups * kTileRows + lane(row)) * sizeof(Float16);
    }
    Byte* dword(int64_t row, int64_t g, size_t j) const {
        const size_t index = (static_cast<size_t>(g) * Format::kDwords + j) * kTileRows + lane(row);
        return tileOf(row) + scaleBytes() + index * 4;
    }

    // The bytes of a group side by side, as tiles hold them.
    void gather(int64_t row, int64_t g, uint8_t* bytes) const {
        for (size_t j = 0; j < Format::kDwords; ++j) std::memcpy(bytes + 4 * j, dword(row, g, j), 4);
    }
    // As stored: the value of a number is this times kUnit.
    float halfScale(int64_t row, int64_t g) const {
        Float16 half;
        std::memcpy(&half, scale(row, g), sizeof(half));
        return static_cast<float>(half);
    }

private:
    Byte* tileOf(int64_t row) const { return m_data + static_cast<size_t>(row / kTileRows) * tileBytes(); }
    static size_t lane(int64_t row) { return static_cast<size_t>(row % kTileRows); }

    Byte* m_data;
    size_t m_groups;
};

// Puts a block, whose first group is g, into its place, and takes it out again.
template <class Format>
void putBlock(const TileView<Format, std::byte>& tiles, int64_t row, int64_t g, const typename Format::Block& block) {
    const auto* source = reinterpret_cast<const std::byte*>(&block);
    std::memcpy(tiles.scale(row, g), source, sizeof(Float16));
    for (size_t j = 0; j < Format::kGroups * Format::kDwords; ++j) {
        uint32_t word = 0;
        std::memcpy(&word, source + sizeof(Float16) + 4 * j, sizeof(word));
        word ^= Format::kFlipped;
        std::memcpy(tiles.dword(row, g, j), &word, sizeof(word));
    }
}

template <class Format>
typename Format::Block takeBlock(const TileView<Format, const std::byte>& tiles, int64_t row, int64_t g) {
    typename Format::Block block;
    auto* target = reinterpret_cast<std::byte*>(&block);
    std::memcpy(target, tiles.scale(row, g), sizeof(Float16));
    for (size_t j = 0; j < Format::kGroups * Format::kDwords; ++j) {
        uint32_t word = 0;
        std::memcpy(&word, tiles.dword(row, g, j), sizeof(word));
        word ^= Format::kFlipped;
        std::memcpy(target + sizeof(Float16) + 4 * j, &word, sizeof(word));
    }
    return block;
}

}  // namespace wb
