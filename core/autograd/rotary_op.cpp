// SPDX-License-Identifier: Apache-2.0
#include "kernels/rotary.h"

#include "core/autograd/ops.h"

namespace wb::core {

Var rotary(const Context& context, const Var& x, const Tensor& positions, const Tensor& frequencies,
           kernels::RotaryLayout layout, float magnitude) {
    Tensor out = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), kernels::MemoryOwner::Activations);
    kernels::rotary(context.device, {.x = x.value.view(),
                                     .positions = positions.view(),
                                     .frequencies = frequencies.view(),
                                     .out = out.view(),
                                     .layout = layout,
                                     .magnitude = magnitude});
    if (context.tape == nullptr || !x.needsGradient()) return {std::move(out)};
    return context.tape->record(
        std::move(out), [node = x.node, positions, frequencies, layout, magnitude](Tape& tape, const Tensor& dOut) {
            const Tensor dX = dOut.ownsStorageAlone() ? dOut
                                                      : Tensor::empty(tape.context(), dOut.dtype(), dOut.shape(),
                                                                      kernels::MemoryOwner::Activations);
            kernels::rotary(tape.context(), {.x = dOut.view(),
                                             .positions = positions.view(),
                                             .frequencies = frequencies.view(),
                                             .out = dX.view(),
                                             .layout = layout,
                                             .direction = kernels::RotaryDirection::Backward,
                                             .magnitude = magnitude});
            tape.accumulate(node, dX);
        });
}

}  // namespace wb::core
