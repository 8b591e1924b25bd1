// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace wb::core {

// Widens the elements of a tensor to float: F32, F16, BF16 and Q8_0. Throws Unsupported naming the type for others,
// InvalidArgument if the bytes are not exactly what out.size() elements occupy.
//   tensorName  for the message only
void dequantiseGguf(GgufType type, std::span<const std::byte> bytes, std::span<float> out, std::string_view tensorName);

}  // namespace wb::core
