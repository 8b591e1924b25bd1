// SPDX-License-Identifier: Apache-2.0
#include "kernels/gated_activation.h"

#include "core/autograd/ops.h"

namespace wb::core {
namespace {

constexpr auto kOwner = kernels::MemoryOwner::Activations;

Tensor gated(const kernels::Context& context, const Tensor& gate, const Tensor& up, kernels::Activation activation) {
    Tensor out = Tensor::empty(context, gate.dtype(), gate.shape(), kOwner);
    kernels::gatedActivationForward(
        context, {.gate = gate.view(), .up = up.view(), .out = out.view(), .activation = activation});
    return out;
}

}  // namespace

Var gatedActivation(const Context& context, const Var& gate, const Var& up, kernels::Activation activation) {
    Tensor out = gated(context.device, gate.value, up.value, activation);
    if (context.tape == nullptr || !(gate.needsGradient() || up.needsGradient())) return {std::move(out)};
    Var result = context.tape->record(std::move(out), [gate, up, activation](Tape& tape, const Tensor& dOut) {
        const Tensor dGate = Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(), kOwner);
        const Tensor dUp = Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(), kOwner);
        kernels::gatedActivationBackward(tape.context(), {.dOut = dOut.view(),
                                                          .gate = gate.value.view(),
                                                          .up = up.value.view(),
                                                          .dGate = dGate.view(),
                                                          .dUp = dUp.view(),
                                                          .activation = activation});
        tape.accumulate(gate.node, dGate);
        tape.accumulate(up.node, dUp);
    });
    result.again = context.recomputed([gate = gate.value, up = up.value, activation](const kernels::Context& device) {
        return gated(device, gate, up, activation);
    });
    return result;
}

}  // namespace wb::core
