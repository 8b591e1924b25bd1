// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/activation.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// out = act(x), element by element.  x, out any shape, the same, F32/BF16/F64; out may alias x.
//   Silu x sigmoid(x);  Gelu x Phi(x), Phi of the normal distribution;  GeluTanh 0.5 x (1 + tanh(sqrt(2 / pi) (x +
//   0.044715 x^3)));  Relu max(0, x);  Sigmoid 1 / (1 + e^-x)
struct ActivationForwardArgs {
    ConstView x;
    View out;
    Activation activation = Activation::Silu;
};
void activationForward(const Context& context, const ActivationForwardArgs& args);

// dX = dOut * act'(x).  All the shape and dtype of x; dX may alias dOut or x.
struct ActivationBackwardArgs {
    ConstView dOut;
    ConstView x;
    View dX;
    Activation activation = Activation::Silu;
};
void activationBackward(const Context& context, const ActivationBackwardArgs& args);

}  // namespace wb::kernels
