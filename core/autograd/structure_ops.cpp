// SPDX-License-Identifier: Apache-2.0
// Ops without arithmetic of their own worth a file: sums, views and recomputation.
#include "core/autograd/ops.h"
#include "core/autograd/shared_gradient.h"
#include "kernels/base/error.h"
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

std::vector<Var> splitRows(const Context& context, const Var& x, const std::vector<int64_t>& bounds) {
    WB_CHECK(bounds.size() > 1 && bounds.front() == 0 && bounds.back() == x.value.shape()[0],
             "the bounds of parts run from 0 to all rows");
    const bool records = context.tape != nullptr && x.needsGradient();
    std::vector<Var> parts;
    for (size_t i = 0; i + 1 < bounds.size(); ++i) {
        Tensor part = x.value.rows(bounds[i], bounds[i + 1]);
        if (!records || bounds[i] == bounds[i + 1]) {
            parts.push_back({std::move(part)});
            continue;
        }
        parts.push_back(
            context.tape->record(std::move(part), [node = x.node, shape = x.value.shape(), begin = bounds[i],
                                                   end = bounds[i + 1]](Tape& tape, const Tensor& dPart) {
                Tensor dX = takeWritableGradient(tape, node, dPart.dtype(), shape);
                const Tensor target = dX.rows(begin, end);
                kernels::add(tape.context(), {.a = target.view(), .b = dPart.view(), .out = target.view()});
                tape.accumulate(node, std::move(dX));
            }));
    }
    return parts;
}

Var concatRows(const Context& context, const std::vector<Var>& parts) {
    WB_CHECK(!parts.empty(), "there is something to put together");
    const Tensor& first = parts.front().value;
    std::vector<int64_t> bounds{0};
    std::vector<int32_t> nodes;
    bool needsGradient = false;
    for (const Var& part : parts) {
        bounds.push_back(bounds.back() + part.value.shape()[0]);
        nodes.push_back(part.node);
        needsGradient = needsGradient || part.needsGradient();
    }
    Tensor out = Tensor::empty(context.device, first.dtype(), Shape{bounds.back(), first.shape()[1]},
                               kernels::MemoryOwner::Activations);
    for (size_t i = 0; i < parts.size(); ++i) {
        kernels::scale(context.device, {.x = parts[i].value.view(), .out = out.rows(bounds[i], bounds[i + 1]).view()});
    }
    if (context.tape == nullptr || !needsGradient) return {std::move(out)};
    return context.tape->record(std::move(out), [bounds, nodes](Tape& tape, const Tensor& dOut) {
        for (size_t i = 0; i < nodes.size(); ++i) tape.accumulate(nodes[i], dOut.rows(bounds[i], bounds[i + 1]));
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
            // What other ops have left there goes through the body, so that sums have the order, and the bits, of a
            // pass that keeps everything.
            inner.accumulate(starts.back().node, tape.takeGradient(input.node));
        }
        const Var end = body(recorded, starts);
        if (end.needsGradient()) inner.backward(end, std::move(dOut));
        for (size_t i = 0; i < inputs.size(); ++i) {
            tape.accumulate(inputs[i].node, inner.takeGradient(starts[i].node));
        }
    });
}

}  // namespace wb::core
