// SPDX-License-Identifier: Apache-2.0
#include "kernels/activation.h"

#include "core/autograd/ops.h"

namespace wb::core {

Var activation(const Context& context, const Var& x, kernels::Activation activation) {
    Tensor out = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), kernels::MemoryOwner::Activations);
    kernels::activationForward(context.device, {.x = x.value.view(), .out = out.view(), .activation = activation});
    if (context.tape == nullptr || !x.needsGradient()) return {std::move(out)};
    return context.tape->record(std::move(out), [x, activation](Tape& tape, const Tensor& dOut) {
        const Tensor dX = dOut.ownsStorageAlone() ? dOut
                                                  : Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(),
                                                                  kernels::MemoryOwner::Activations);
        kernels::activationBackward(
            tape.context(), {.dOut = dOut.view(), .x = x.value.view(), .dX = dX.view(), .activation = activation});
        tape.accumulate(x.node, dX);
    });
}

}  // namespace wb::core
