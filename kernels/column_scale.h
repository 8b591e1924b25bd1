// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// out = x * gain + bias (+ out), gain and bias per column.
//   x [T, O]; gain [O] F32 (F64 for F64), absent: 1; bias [O] dtype of x, optional; out [T, O] dtype of x or F32, may
//   alias x.  x F32/BF16/F64. T = 0 is legal. Throws InvalidArgument on shape or dtype mismatch.
struct ColumnScaleForwardArgs {
    ConstView x;
    ConstView gain;
    ConstView bias;
    View out;
    bool accumulates = false;
};
void columnScaleForward(const Context& context, const ColumnScaleForwardArgs& args);

// dX = dOut * gain;  dGain += sum over rows of dOut * x;  dBias += sum over rows of dOut.
//   dOut, x, dX [T, O] of one dtype, dX may alias dOut; gain, dGain, dBias [O] F32 (F64 for F64). Every output is
//   optional; dX needs gain, dGain needs x.
struct ColumnScaleBackwardArgs {
    ConstView dOut;
    ConstView x;
    ConstView gain;
    View dX;
    View dGain;
    View dBias;
    View workspace;  // scratch, set by dispatch
};
void columnScaleBackward(const Context& context, const ColumnScaleBackwardArgs& args);

}  // namespace wb::kernels
