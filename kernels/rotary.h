// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/rotary_layout.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

enum class RotaryDirection { Forward, Backward };

// Rotates pairs of each head by position * frequency (Su et al. 2021, arXiv:2104.09864); backward rotates by the
// negative angle. Values beyond R are copied.
//   x, out [T, H, D] F32/BF16/F64, may alias; positions [T] I32; frequencies [R/2] F32, R <= D, radians per position.
//   magnitude scales the rotated values (long-context scaling); 1 for plain rotary embeddings.
struct RotaryArgs {
    ConstView x;
    ConstView positions;
    ConstView frequencies;
    View out;
    RotaryLayout layout = RotaryLayout::Half;
    RotaryDirection direction = RotaryDirection::Forward;
    float magnitude = 1.0F;
};
void rotary(const Context& context, const RotaryArgs& args);

}  // namespace wb::kernels
