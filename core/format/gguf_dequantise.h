// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf_type.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace wb::core {

// Widens the elements of a tensor to float: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K and
// Q6_K, with the bits that ggml gives. Throws Unsupported naming the type for others, InvalidArgument if the bytes are
// not exactly what out.size() elements occupy.
//   tensorName  for the message only
void dequantiseGguf(GgufType type, std::span<const std::byte> bytes, std::span<float> out, std::string_view tensorName);

}  // namespace wb::core
