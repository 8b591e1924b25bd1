// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/activation.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// out = act(gate) * up (Shazeer 2020, arXiv:2002.05202); act as in kernels/activation.h.
//    gate, up, out [T, F] F32/BF16/F64; out may alias neither.
struct GatedActivationForwardArgs {
    ConstView gate;
    ConstView up;
    View out;
    Activation activation = Activation::Silu;
};
void gatedActivationForward(const Context& context, const GatedActivationForwardArgs& args);

// dGate = dOut * up * act'(gate);  dUp = dOut * act(gate).  All [T, F]; dGate may alias gate, dUp may alias up.
struct GatedActivationBackwardArgs {
    ConstView dOut;
    ConstView gate;
    ConstView up;
    View dGate;
    View dUp;
    Activation activation = Activation::Silu;
};
void gatedActivationBackward(const Context& context, const GatedActivationBackwardArgs& args);

}  // namespace wb::kernels
