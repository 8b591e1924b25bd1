// SPDX-License-Identifier: Apache-2.0
// NF4 (Dettmers et al. 2023, arXiv:2305.14314): 64 values of a row as a half-precision scale, their largest magnitude,
// and 64 nibbles. A nibble names one of 16 levels in [-1, 1] that split a normal distribution into parts of about equal
// probability. Levels lie on a grid of 1 / 32639 (at most 1.3e-5 beside those of the paper, a fortieth of what the half
// scale loses), so that a product with bytes is an exact integer and 32639 = 127 * 257 fits two signed bytes.
#pragma once

#include "kernels/base/float_formats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace wb {

// Value = scale * kNf4Unit * level; the first product is rounded to F32 before the second.
inline constexpr std::array<int32_t, 16> kNf4Levels{-32639, -22723, -17138, -12890, -9284, -6031, -2972, 0,
                                                    2597,   5253,   8033,   11029,  14384, 18363, 23597, 32639};
inline constexpr float kNf4Unit = 1.0F / 32639.0F;
inline constexpr float kLargestHalf = 65504.0F;

struct Nf4Block {
    static constexpr size_t kLength = 64;

    Float16 scale;
    // Two groups of 32 values: of each, value i in the low bits of byte i and value i + 16 in the high bits.
    std::array<uint8_t, kLength / 2> nibbles;

    int nibble(size_t i) const {
        const uint8_t byte = nibbles[i / 32 * 16 + i % 16];
        return i % 32 < 16 ? byte & 15 : byte >> 4;
    }
    int level(size_t i) const { return kNf4Levels[static_cast<size_t>(nibble(i))]; }
};
static_assert(sizeof(Nf4Block) == 34);

// Half way from level n to the next one, in [-1, 1].
constexpr float nf4Edge(size_t n) {
    return static_cast<float>(kNf4Levels[n] + kNf4Levels[n + 1]) * (0.5F * kNf4Unit);
}

// scale = largest magnitude, at most 65504, rounded to half; nibbles name the level nearest to x over that magnitude,
// the lower one at half way.
inline Nf4Block quantizeNf4(const float* x) {
    float largest = 0;
    for (size_t i = 0; i < Nf4Block::kLength; ++i) largest = std::max(largest, std::abs(x[i]));
    Nf4Block block;
    block.scale = Float16(std::min(largest, kLargestHalf));
    const auto nibbleOf = [largest](float value) {
        const float ratio = largest > 0 ? value / largest : 0.0F;
        uint32_t nibble = 0;
        for (size_t n = 0; n + 1 < kNf4Levels.size(); ++n) nibble += ratio > nf4Edge(n) ? 1 : 0;
        return nibble;
    };
    for (size_t i = 0; i < block.nibbles.size(); ++i) {
        const float* group = x + i / 16 * 32 + i % 16;
        block.nibbles[i] = static_cast<uint8_t>(nibbleOf(group[0]) | nibbleOf(group[16]) << 4);
    }
    return block;
}

}  // namespace wb
