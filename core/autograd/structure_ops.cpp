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

Var scale(const Context& context, const Var& x, float factor) {
    const auto scaled = [factor](const kernels::Context& device, const Tensor& from) {
        Tensor out = Tensor::empty(device, from.dtype(), from.shape(), kernels::MemoryOwner::Activations);
        kernels::scale(device, {.x = from.view(), .out = out.view(), .factor = factor});
        return out;
    };
    Tensor out = scaled(context.device, x.value);
    if (context.tape == nullptr || !x.needsGradient()) return {std::move(out)};
    return context.tape->record(std::move(out), [node = x.node, scaled](Tape& tape, const Tensor& dOut) {
        tape.accumulate(node, scaled(tape.context(), dOut));
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
    return checkpoint(context, std::vector<Var>{input},
                      [body = std::move(body)](const Context& inner, std::span<const Var> inputs) {
                          return body(inner, inputs.front());
                      });
}

Var checkpoint(const Context& context, std::vector<Var> inputs,
               std::function<Var(const Context&, std::span<const Var>)> body) {
    if (context.tape == nullptr) return body(context, inputs);
    const RandomStream atStart = context.dropout != nullptr ? *context.dropout : RandomStream{};
    const Context quiet{context.device, nullptr, context.dropout, context.adapterRows};
    std::vector<Var> plain;
    for (const Var& input : inputs) plain.push_back({input.value});
    Tensor out = body(quiet, plain).value;
    const std::vector<AdapterRows> rows(context.adapterRows.begin(), context.adapterRows.end());
    const bool hasDropout = context.dropout != nullptr;
    return context.tape->record(std::move(out), [inputs = std::move(inputs), body = std::move(body), atStart,
                                                 hasDropout, rows](Tape& tape, Tensor dOut) {
        Tape inner(tape.context());
        RandomStream replay = atStart;
        const Context recorded{tape.context(), &inner, hasDropout ? &replay : nullptr, rows};
        std::vector<Var> starts;
        for (const Var& input : inputs) {
            starts.push_back(input.needsGradient() ? inner.leaf(input.value) : Var{input.value});
        }
        const Var end = body(recorded, starts);
        if (!end.needsGradient()) return;
        inner.backward(end, std::move(dOut));
        for (size_t i = 0; i < inputs.size(); ++i) {
            tape.accumulate(inputs[i].node, inner.takeGradient(starts[i].node));
        }
    });
}

}  // namespace wb::core
