// SPDX-License-Identifier: Apache-2.0
// Ops without arithmetic of their own worth a file: sums, views and recomputation.
#include "core/autograd/ops.h"
#include "kernels/elementwise.h"

#include <utility>

namespace wb::core {

Var add(const Context& context, const Var& a, const Var& b) {
    Tensor out = Tensor::empty(context.device, a.value.dtype(), a.value.shape(), kernels::MemoryOwner::Activations);
    kernels::add(context.device, {.a = a.value.view(), .b = b.value.view(), .out = out.view()});
    if (context.tape == nullptr || !(a.needsGradient() || b.needsGradient())) return {std::move(out)};
    return context.tape->record(std::move(out), [nodeA = a.node, nodeB = b.node](Tape& tape, const Tensor& dOut) {
        tape.accumulate(nodeA, dOut);
        tape.accumulate(nodeB, dOut);
    });
}

Var reshape(const Context& context, const Var& x, const Shape& shape) {
    Tensor out = x.value.reshaped(shape);
    if (context.tape == nullptr || !x.needsGradient()) return {std::move(out)};
    return context.tape->record(std::move(out), [node = x.node, from = x.value.shape()](Tape& tape, Tensor dOut) {
        tape.accumulate(node, std::move(dOut).reshaped(from));
    });
}

Var checkpoint(const Context& context, std::vector<Var> inputs, CheckpointBody body) {
    if (context.tape == nullptr) return body(context, inputs);
    const RandomStream atStart = context.dropout != nullptr ? *context.dropout : RandomStream{};
    const Context quiet{context.device, nullptr, context.dropout, context.adapterRows};
    Tensor out = body(quiet, inputs).value;
    const std::vector<AdapterRows> rows(context.adapterRows.begin(), context.adapterRows.end());
    const bool hasDropout = context.dropout != nullptr;
    return context.tape->record(std::move(out), [inputs = std::move(inputs), body = std::move(body), atStart,
                                                 hasDropout, rows](Tape& tape, Tensor dOut) {
        Tape inner(tape.context());
        RandomStream replay = atStart;
        const Context recorded{tape.context(), &inner, hasDropout ? &replay : nullptr, rows};
        std::vector<Var> starts;
        for (const Var& input : inputs)
            starts.push_back(input.needsGradient() ? inner.leaf(input.value) : Var{input.value});
        const Var end = body(recorded, starts);
        if (!end.needsGradient()) return;
        inner.backward(end, std::move(dOut));
        for (size_t i = 0; i < inputs.size(); ++i) {
            if (inputs[i].needsGradient()) tape.accumulate(inputs[i].node, inner.takeGradient(starts[i].node));
        }
    });
}

}  // namespace wb::core
