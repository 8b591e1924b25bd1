// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>

namespace wb::kernels {

// Whether a product replaces what the output holds or is added to it.
enum class Write { Replace, Add };

// Up to so many rows, the bits of a row of linearForward do not depend on the rows beside it. Decoding batches stay
// within it, which is why a pane of a comparison equals the model alone.
inline constexpr int64_t kIndependentRows = 16;

// out = alpha * x W^T + bias (+ out).
//   x [T, I]; weight [O, I]; bias [O] optional; out [T, O].
//   dtypes: all F32, all BF16, all F64, or BF16 inputs with F32 out. Sums are F32 (F64 for F64).
//   weight may be tiles of quantised blocks instead (see quantize.h), I a multiple of the block: its values are scale *
//   number exactly. On the CPU x, unless it is F64, is rounded to signed bytes in blocks of 32 with a scale of
//   max|block| / 127, and the bits of a row do not depend on other rows whatever their number. On CUDA x is taken as
//   it is, and that holds up to kIndependentRows.
// T = 0 is legal. Throws InvalidArgument on shape or dtype mismatch. out must not alias an input.
struct LinearForwardArgs {
    ConstView x;
    ConstView weight;
    ConstView bias;
    View out;
    float alpha = 1.0F;
    Write write = Write::Replace;
    View workspace;  // scratch, set by dispatch
};
void linearForward(const Context& context, const LinearForwardArgs& args);

// dX = alpha * dOut W (+ dX).
//   dOut [T, O]; weight [O, I]; dX [T, I]; dtypes as in linearForward. A weight in tiles is widened to the type of dOut
//   (rounded, if that is BF16); dOut is not quantised.
struct LinearBackwardInputArgs {
    ConstView dOut;
    ConstView weight;
    View dX;
    float alpha = 1.0F;
    Write write = Write::Replace;
    View workspace;  // scratch, set by dispatch
};
void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args);

// dWeight = alpha * dOut^T x (+ dWeight) and dBias += sum over rows of dOut. A weight in tiles has none.
//   dOut [T, O]; x [T, I] same dtype as dOut; dWeight [O, I] F32 (F64 for F64); dBias [O] F32/F64 optional.
struct LinearBackwardWeightArgs {
    ConstView dOut;
    ConstView x;
    View dWeight;
    View dBias;
    float alpha = 1.0F;
    Write write = Write::Add;  // of dWeight
    View workspace;            // scratch, set by dispatch
};
void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args);

}  // namespace wb::kernels
