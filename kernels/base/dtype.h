// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wb {

// Element types of tensors in memory. F64 exists for the oracle of gradient checks.
// Q8_0 is the GGUF block format: 32 values in 34 bytes (half scale, 32 signed bytes).
enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I8, U8, Q8_0 };

// "F32", "BF16", ...: the names safetensors uses.
const char* dtypeName(DType dtype);

// Inverse of dtypeName, ignoring case. Throws InvalidArgument naming the accepted types.
DType parseDtype(std::string_view name);

// Bytes that `count` elements occupy. Throws InvalidArgument if count is no multiple of the block length.
size_t dtypeBytes(DType dtype, size_t count);

bool isFloatingPoint(DType dtype);  // F64, F32, F16, BF16

}  // namespace wb
