// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// inverse = 1 / sqrt(sum of x^2) of each row, 0 where the whole row is zero (padding stays padding).
//   x [O, I] F32/F64; inverse [O] of the same dtype.  Throws InvalidArgument on shape or dtype mismatch.
struct RowNormArgs {
    ConstView x;
    View inverse;
};
void rowNorm(const Context& context, const RowNormArgs& args);

}  // namespace wb::kernels
