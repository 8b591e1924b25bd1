// SPDX-License-Identifier: Apache-2.0
#include "kernels/embedding.h"

#include "core/autograd/ops.h"
#include "core/autograd/row_ranges.h"

namespace wb::core {

Var embedding(const Context& context, Parameter& table, const Tensor& ids, DType dtype, float scale) {
    const Shape shape{ids.count(), table.value.shape()[1]};
    Tensor out = Tensor::empty(context.device, dtype, shape, kernels::MemoryOwner::Activations);
    std::vector<WeightRange> ranges = weightRanges(context, ids.count(), table, nullptr);
    for (const WeightRange& range : ranges) {
        kernels::embeddingForward(
            context.device,
            {.table = range.weight->value.view(), .ids = range.of(ids), .out = range.of(out), .scale = scale});
    }
    if (context.tape == nullptr || !anyTrainable(ranges)) return {std::move(out)};
    return context.tape->record(std::move(out), [ranges = std::move(ranges), ids, scale,
                                                 untrained = table.untrainedRow](Tape& tape, const Tensor& dOut) {
        for (const WeightRange& range : ranges) {
            if (!range.isTrainable()) continue;
            kernels::embeddingBackward(tape.context(), {.dOut = range.of(dOut),
                                                        .ids = range.of(ids),
                                                        .dTable = gradientSum(tape.context(), *range.weight).view(),
                                                        .scale = scale,
                                                        .untrainedId = untrained});
        }
    });
}

}  // namespace wb::core
