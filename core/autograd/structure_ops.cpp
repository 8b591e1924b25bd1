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

Var checkpoint(const Context& context, const Var& input, std::function<Var(const Context&, const Var&)> body) {
    if (context.tape == nullptr) return body(context, input);
    const RandomStream atStart = context.dropout != nullptr ? *context.dropout : RandomStream{};
    const Context quiet{context.device, nullptr, context.dropout, context.adapterRows};
    Tensor out = body(quiet, {input.value}).value;
    const std::vector<AdapterRows> rows(context.adapterRows.begin(), context.adapterRows.end());
    const bool hasDropout = context.dropout != nullptr;
    return context.tape->record(
        std::move(out), [input, body = std::move(body), atStart, hasDropout, rows](Tape& tape, Tensor dOut) {
            Tape inner(tape.context());
            RandomStream replay = atStart;
            const Context recorded{tape.context(), &inner, hasDropout ? &replay : nullptr, rows};
            const Var start = input.needsGradient() ? inner.leaf(input.value) : Var{input.value};
            const Var end = body(recorded, start);
            if (!end.needsGradient()) return;
            inner.backward(end, std::move(dOut));
            tape.accumulate(input.node, inner.takeGradient(start.node));
        });
}

}  // namespace wb::core
