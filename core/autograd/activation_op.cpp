// SPDX-License-Identifier: Apache-2.0
#include "kernels/activation.h"

#include "core/autograd/ops.h"

namespace wb::core {
namespace {

Tensor activated(const kernels::Context& context, const Tensor& x, kernels::Activation activation) {
    Tensor out = Tensor::empty(context, x.dtype(), x.shape(), kernels::MemoryOwner::Activations);
    kernels::activationForward(context, {.x = x.view(), .out = out.view(), .activation = activation});
    return out;
}

}  // namespace

Var activation(const Context& context, const Var& x, kernels::Activation activation) {
    Tensor out = activated(context.device, x.value, activation);
    if (context.tape == nullptr || !x.needsGradient()) return {std::move(out)};
    Var result = context.tape->record(std::move(out), [x, activation](Tape& tape, const Tensor& dOut) {
        const Tensor dX = dOut.ownsStorageAlone() ? dOut
                                                  : Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(),
                                                                  kernels::MemoryOwner::Activations);
        kernels::activationBackward(
            tape.context(), {.dOut = dOut.view(), .x = x.value.view(), .dX = dX.view(), .activation = activation});
        tape.accumulate(x.node, dX);
    });
    result.again = context.recomputed(
        [x = x.value, activation](const kernels::Context& device) { return activated(device, x, activation); });
    return result;
}

}  // namespace wb::core
