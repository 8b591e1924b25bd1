// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/shape.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wb {

// Element types of tensors in memory. F64 exists for the oracle of gradient checks.
// Q8_0 and Q4_0 are the block formats of GGUF files: 32 values of a row in 34 or 18 bytes (half scale, then 32 signed
// bytes or 32 nibbles). NF4 are blocks of 64 values in 34 bytes (kernels/base/nf4_block.h). Q8_0x16, Q4_0x16 and NF4x16
// hold the same blocks for products, the rows of a matrix in tiles of 16 (kernels/base/quantized_tiles.h). No file has
// NF4 or tiles.
enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I8, U8, Q8_0, Q4_0, Q8_0x16, Q4_0x16, NF4, NF4x16 };

// "F32", "BF16", ...: the names safetensors uses.
const char* dtypeName(DType dtype);

// Inverse of dtypeName, ignoring case. Throws InvalidArgument naming the accepted types.
DType parseDtype(std::string_view name);

// Bytes that `count` elements occupy. Throws InvalidArgument if count is no multiple of the block length, and for
// tiles, whose size depends on the shape.
size_t dtypeBytes(DType dtype, size_t count);

// Bytes of a dense array. Tiles are complete: a matrix of 20 rows takes as much as one of 32. Throws InvalidArgument
// where dtypeBytes does, and for tiles of an array that is no matrix with rows of whole blocks.
size_t arrayBytes(DType dtype, const Shape& shape);

bool isBlocked(DType dtype);          // Q8_0, Q4_0, NF4: blocks row by row
bool isTiled(DType dtype);            // Q8_0x16, Q4_0x16, NF4x16
DType rowsOfTiles(DType tiled);       // the format of the same blocks row by row
DType tilesOfRows(DType blocks);      // the inverse
int64_t valuesPerBlock(DType dtype);  // neighbours of a row that share a scale; 1 for plain elements

bool isFloatingPoint(DType dtype);  // F64, F32, F16, BF16

}  // namespace wb
