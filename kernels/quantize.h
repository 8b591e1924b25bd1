// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// x[i] = scale of the block * byte.  quantized [rows, columns] Q8_0, columns a multiple of 32; out F32/BF16, same
// shape.
struct DequantizeArgs {
    ConstView quantized;
    View out;
};
void dequantize(const Context& context, const DequantizeArgs& args);

// Inverse: scale = max|block| / 127 rounded to half, bytes rounded to nearest.  x F32; out Q8_0.
struct QuantizeArgs {
    ConstView x;
    View out;
};
void quantize(const Context& context, const QuantizeArgs& args);

}  // namespace wb::kernels
