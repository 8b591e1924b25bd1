// SPDX-License-Identifier: Apache-2.0
#include "kernels/gated_activation.h"

#include "core/autograd/ops.h"

namespace wb::core {

Var gatedActivation(const Context& context, const Var& gate, const Var& up, kernels::Activation activation) {
    const auto owner = kernels::MemoryOwner::Activations;
    Tensor out = Tensor::empty(context.device, gate.value.dtype(), gate.value.shape(), owner);
    kernels::gatedActivationForward(
        context.device,
        {.gate = gate.value.view(), .up = up.value.view(), .out = out.view(), .activation = activation});
    if (context.tape == nullptr || !(gate.needsGradient() || up.needsGradient())) return {std::move(out)};
    return context.tape->record(std::move(out), [gate, up, activation, owner](Tape& tape, const Tensor& dOut) {
        const Tensor dGate = Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(), owner);
        const Tensor dUp = Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(), owner);
        kernels::gatedActivationBackward(tape.context(), {.dOut = dOut.view(),
                                                          .gate = gate.value.view(),
                                                          .up = up.value.view(),
                                                          .dGate = dGate.view(),
                                                          .dUp = dUp.view(),
                                                          .activation = activation});
        tape.accumulate(gate.node, dGate);
        tape.accumulate(up.node, dUp);
    });
}

}  // namespace wb::core
