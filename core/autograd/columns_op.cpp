// SPDX-License-Identifier: Apache-2.0
#include "kernels/columns.h"

#include "core/autograd/ops.h"
#include "core/autograd/shared_gradient.h"

namespace wb::core {

std::vector<Var> splitColumns(const Context& context, const Var& x, const ColumnParts& parts) {
    const bool records = context.tape != nullptr && x.needsGradient();
    const int64_t tokens = x.value.shape()[0];
    std::vector<Var> split;
    for (size_t index = 0; index < parts->size(); ++index) {
        const ColumnPart& part = (*parts)[index];
        const Shape shape{tokens, static_cast<int64_t>(part.starts.size()), part.width};
        Tensor out = Tensor::empty(context.device, x.value.dtype(), shape, kernels::MemoryOwner::Activations);
        kernels::gatherColumns(context.device, {.x = x.value.view(), .starts = part.starts, .out = out.view()});
        if (!records) {
            split.push_back({std::move(out)});
            continue;
        }
        split.push_back(context.tape->record(
            std::move(out), [node = x.node, shapeX = x.value.shape(), parts, index](Tape& tape, const Tensor& dOut) {
                // All parts write into one gradient of x, whichever comes first.
                Tensor dX = takeWritableGradient(tape, node, dOut.dtype(), shapeX);
                kernels::scatterAddColumns(tape.context(),
                                           {.part = dOut.view(), .starts = (*parts)[index].starts, .dX = dX.view()});
                tape.accumulate(node, std::move(dX));
            }));
    }
    return split;
}

}  // namespace wb::core
