// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// Adds an optional residual, normalises each row to unit RMS and scales it (Zhang & Sennrich 2019, arXiv:1910.07467).
//   s = x + residual;  r = 1 / sqrt(mean(s^2) + eps);  out = s * r * (weight + weightOffset)
//   x, residual [T, C] F32/BF16/F64; weight [C] same dtype; out [T, C]; sum [T, C] receives s, required with a residual
//   (may alias x); invRms [T] F32 (F64 for F64) receives r, optional.
struct RmsNormForwardArgs {
    ConstView x;
    ConstView residual;
    ConstView weight;
    View out;
    View sum;
    View invRms;
    float eps = 1e-5F;
    float weightOffset = 0.0F;  // 1 where a family stores weight - 1
};
void rmsNormForward(const Context& context, const RmsNormForwardArgs& args);

// With g = dOut * (weight + weightOffset) and n = s * r:
//   dX = r * (g - n * mean(g * n)) (+ dResidual);  dWeight += sum over rows of dOut * n
//   s [T, C] (x or sum of the forward); invRms [T]; dX [T, C]; dResidual [T, C] optional, the gradient that reaches s
//   directly; may alias dX. dWeight [C] F32 (F64 for F64) optional: absent when the weight is frozen.
struct RmsNormBackwardArgs {
    ConstView dOut;
    ConstView s;
    ConstView weight;
    ConstView invRms;
    ConstView dResidual;
    View dX;
    View dWeight;
    float weightOffset = 0.0F;
    View workspace;  // scratch, set by dispatch
};
void rmsNormBackward(const Context& context, const RmsNormBackwardArgs& args);

}  // namespace wb::kernels
