// SPDX-License-Identifier: Apache-2.0
// Q4_0 as GGUF files hold it: 32 values as a half-precision scale and 32 nibbles. x = scale * (nibble - 8).
#pragma once

#include "kernels/base/float_formats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace wb {

struct Q4Block {
    static constexpr size_t kLength = 32;

    Float16 scale;
    std::array<uint8_t, kLength / 2> nibbles;  // value i in the low bits of byte i, value i + 16 in the high bits

    int nibble(size_t i) const { return i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4; }
};
static_assert(sizeof(Q4Block) == 18, "the block layout of GGUF files");

// scale = m / -8 rounded to half, m the value of largest magnitude with its sign, so that it falls on -8; nibbles are x
// divided by the unrounded scale plus 8, rounded half up, at most 15: the bits that ggml gives.
inline Q4Block quantizeQ4(const float* x) {
    float extreme = 0;
    for (size_t i = 0; i < Q4Block::kLength; ++i) {
        if (std::abs(x[i]) > std::abs(extreme)) extreme = x[i];
    }
    const float scale = extreme / -8.0F;
    const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
    const auto nibbleOf = [inverse](float value) {
        return static_cast<uint8_t>(std::min(15, static_cast<int>(value * inverse + 8.5F)));
    };
    Q4Block block;
    block.scale = Float16(scale);
    for (size_t i = 0; i < block.nibbles.size(); ++i) {
        block.nibbles[i] = static_cast<uint8_t>(nibbleOf(x[i]) | nibbleOf(x[i + 16]) << 4);
    }
    return block;
}

}  // namespace wb
