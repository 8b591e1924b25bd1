// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// The block formats: Q8_0 and Q4_0 as GGUF files hold them, NF4 (kernels/base/nf4_block.h), and Q8_0x16, Q4_0x16 and
// NF4x16, the same blocks in tiles of 16 rows, which is what products read. Columns are a multiple of 32, of NF4 of 64.
// All throw InvalidArgument on shapes and dtypes.

// x[i] = scale of the block * number.  quantized [rows, columns] any block format; out same shape, F32, BF16, or F64 of
// tiles.
struct DequantizeArgs {
    ConstView quantized;
    View out;
};
void dequantize(const Context& context, const DequantizeArgs& args);

// Inverse, of Q8_0 and Q4_0 with the bits of ggml.  x F32; out any block format, same shape.
//   Q8_0  scale = max|block| / 127 rounded to half, bytes rounded to nearest
//   Q4_0  scale = (value of largest magnitude) / -8 rounded to half, nibbles rounded half up
//   NF4   scale = max|block|, at most 65504, rounded to half, nibbles of the nearest level
struct QuantizeArgs {
    ConstView x;
    View out;
};
void quantize(const Context& context, const QuantizeArgs& args);

// The same blocks in the other order: Q8_0 and Q8_0x16 into each other, and so the others. Exact both ways; tiles
// that reach beyond the last row are filled up with zeros.
struct RetileArgs {
    ConstView in;
    View out;
};
void retile(const Context& context, const RetileArgs& args);

}  // namespace wb::kernels
