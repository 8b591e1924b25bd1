// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/tape.h"
#include "kernels/elementwise.h"

namespace wb::core {

// The gradient that has arrived at `node` so far, as storage that the caller may add to in place: zeros if nothing has
// arrived, a copy if others share it. The caller hands it back with accumulate(). For ops whose outputs are parts of
// one input, and for an input that many nodes add to.
inline Tensor takeWritableGradient(Tape& tape, int32_t node, DType dtype, const Shape& shape) {
    Tensor gradient = tape.takeGradient(node);
    if (!gradient.isPresent()) {
        return Tensor::zeros(tape.context(), dtype, shape, kernels::MemoryOwner::Activations);
    }
    if (gradient.ownsStorageAlone()) return gradient;
    Tensor copy = Tensor::empty(tape.context(), dtype, shape, kernels::MemoryOwner::Activations);
    kernels::scale(tape.context(), {.x = gradient.view(), .out = copy.view()});
    return copy;
}

}  // namespace wb::core
