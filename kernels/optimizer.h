// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>
#include <span>

namespace wb::kernels {

// out[0] = sqrt(sum of squares over all tensors), with a fixed order of summation.
//   tensors F32 or F64, any shapes; out [1] F32 (F64 for F64).
struct GlobalNormArgs {
    std::span<const ConstView> tensors;
    View out;
    View workspace;  // scratch, set by dispatch
};
void globalNorm(const Context& context, const GlobalNormArgs& args);

// One parameter of a sweep and what the optimiser keeps of it: all of one shape.
//   parameter F32/F64, or BF16/F16 with a master copy: `master` F32 is then the truth and parameter its
//   rounding. gradient, m, v F32 (F64 for F64).
struct AdamWTensor {
    View parameter;
    View master;
    ConstView gradient;
    View m;
    View v;
    float weightDecay = 0;
};

// Decoupled weight decay Adam (Loshchilov & Hutter 2019, arXiv:1711.05101), one sweep over all parameters:
//   g = gradient * gradientScale
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w = w - lr * (m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps) + weightDecay * w)
//   tensors: parameters up to F32 may be mixed, F64 ones only among themselves.
//   gradientScale [1] F32 on the device, optional: clipping without a host read. If it is not finite, nothing is
//   written: the step is left out (step_summary.h makes it so).  step counts from 1.
struct AdamWArgs {
    std::span<const AdamWTensor> tensors;
    ConstView gradientScale;
    float learningRate = 0;
    float beta1 = 0.9F;
    float beta2 = 0.999F;
    float epsilon = 1e-8F;
    int64_t step = 1;
    View workspace;  // scratch, set by dispatch
};
void adamW(const Context& context, const AdamWArgs& args);

}  // namespace wb::kernels
