// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// Adds an optional residual, normalises each row to mean 0 and variance 1, scales and shifts it (Ba et al. 2016,
// arXiv:1607.06450).
//   s = x + residual;  m = mean(s);  r = 1 / sqrt(mean((s - m)^2) + eps);  out = (s - m) * r * weight + bias
//   x, residual [T, C] F32/BF16/F64; weight, bias [C] same dtype, bias optional; out [T, C]; sum [T, C] receives s,
//   required with a residual (may alias x); mean, invStd [T] F32 (F64 for F64) receive m and r, both or neither.
struct LayerNormForwardArgs {
    ConstView x;
    ConstView residual;
    ConstView weight;
    ConstView bias;
    View out;
    View sum;
    View mean;
    View invStd;
    float eps = 1e-5F;
};
void layerNormForward(const Context& context, const LayerNormForwardArgs& args);

// With g = dOut * weight and n = (s - m) * r:
//   dX = r * (g - mean(g) - n * mean(g * n)) (+ dResidual)
//   dWeight += sum over rows of dOut * n;  dBias += sum over rows of dOut
//   s [T, C] (x or sum of the forward); mean, invStd [T]; dX [T, C]; dResidual [T, C] optional, the gradient that
//   reaches s directly; may alias dX. dWeight, dBias [C] F32 (F64 for F64), each absent when it is frozen.
struct LayerNormBackwardArgs {
    ConstView dOut;
    ConstView s;
    ConstView weight;
    ConstView mean;
    ConstView invStd;
    ConstView dResidual;
    View dX;
    View dWeight;
    View dBias;
    View workspace;  // scratch, set by dispatch
};
void layerNormBackward(const Context& context, const LayerNormBackwardArgs& args);

}  // namespace wb::kernels
