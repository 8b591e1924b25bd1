// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/dtype.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace wb::core {

// Widens stored elements to float: F32, F16, BF16, F64 (rounded), Q8_0 and Q4_0 (x = scale times q). The bytes need no
// alignment. Throws InvalidArgument, with `what` in the message, on another type or if the bytes are not exactly what
// out.size() elements occupy.
void widenToFloat(DType dtype, std::span<const std::byte> bytes, std::span<float> out, std::string_view what);

}  // namespace wb::core
