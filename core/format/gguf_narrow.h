// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf_type.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace wb::core {

// The types that are written: "f32", "f16", "bf16", "q8_0", in any case. Throws InvalidArgument naming them.
GgufType parseGgufWeightType(std::string_view name);

// The type for a tensor in a file whose weights are to be `wanted`: as llama.cpp has it, vectors and norms are F32, and
// rows that do not fill a block F16.
GgufType ggufTypeFor(GgufType wanted, std::string_view ggufName, std::span<const int64_t> shape);

// Elements rounded to F32, F16, BF16 or Q8_0, with the bits that ggml gives. Throws InvalidArgument on another type or
// if values do not fill blocks, Unsupported if a value is too large for F16.
std::vector<std::byte> narrowForGguf(GgufType type, std::span<const float> values, std::string_view tensorName);

}  // namespace wb::core
