// SPDX-License-Identifier: Apache-2.0
// Q8_0 as GGUF files hold it: 32 values as a half-precision scale and 32 signed bytes. x = scale * byte.
#pragma once

#include "kernels/base/float_formats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace wb {

struct Q8Block {
    static constexpr size_t kLength = 32;

    Float16 scale;
    std::array<int8_t, kLength> values;
};
static_assert(sizeof(Q8Block) == 34, "the block layout of GGUF files");

// scale = max|x| / 127 rounded to half; bytes are x divided by the unrounded scale, rounded to nearest, ties away from
// zero: the bits that ggml gives.
inline Q8Block quantizeQ8(const float* x) {
    float largest = 0;
    for (size_t i = 0; i < Q8Block::kLength; ++i) largest = std::max(largest, std::abs(x[i]));
    const float scale = largest / 127.0F;
    const float inverse = scale > 0 ? 1.0F / scale : 0.0F;
    Q8Block block;
    block.scale = Float16(scale);
    for (size_t i = 0; i < Q8Block::kLength; ++i) {
        block.values[i] = static_cast<int8_t>(std::clamp(std::round(x[i] * inverse), -127.0F, 127.0F));
    }
    return block;
}

}  // namespace wb
