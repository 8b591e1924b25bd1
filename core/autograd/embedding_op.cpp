// SPDX-License-Identifier: Apache-2.0
#include "kernels/embedding.h"

#include "core/autograd/ops.h"

namespace wb::core {

Var embedding(const Context& context, Parameter& table, const Tensor& ids, float scale) {
    const Shape shape{ids.count(), table.value.shape()[1]};
    Tensor out = Tensor::empty(context.device, table.value.dtype(), shape, kernels::MemoryOwner::Activations);
    kernels::embeddingForward(context.device,
                              {.table = table.value.view(), .ids = ids.view(), .out = out.view(), .scale = scale});
    if (context.tape == nullptr || !table.isTrainable()) return {std::move(out)};
    return context.tape->record(std::move(out), [&table, ids, scale](Tape& tape, const Tensor& dOut) {
        kernels::embeddingBackward(
            tape.context(), {.dOut = dOut.view(), .ids = ids.view(), .dTable = table.gradient.view(), .scale = scale});
    });
}

}  // namespace wb::core
