// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/ops.h"
#include "kernels/linear_group.h"

#include <algorithm>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

const LowRankDelta* deltaOf(const LinearCall& call, int32_t adapter) {
    const auto index = static_cast<size_t>(adapter);
    return adapter >= 0 && index < call.deltas.size() ? call.deltas[index] : nullptr;
}

// The kernel knows plain low-rank updates of the layer's own weight.
bool isPlainFor(const Context& context, const LinearCall& call, int32_t adapter) {
    if (call.weight.isReplacedFor(adapter)) return false;
    if (call.bias != nullptr && call.bias->isReplacedFor(adapter)) return false;
    const LowRankDelta* delta = deltaOf(call, adapter);
    if (delta == nullptr) return true;
    const bool isDropped = delta->dropout > 0 && context.dropout != nullptr;
    return !delta->hasMagnitude() && !delta->biasB.value.isPresent() && !isDropped;
}

bool isPlain(const Context& context, const Var& x, const LinearCall& call) {
    return call.weight.value.dtype() == x.value.dtype() &&
           std::ranges::all_of(context.adapterRows, [&](const AdapterRows& rows) {
               return rows.begin == rows.end || isPlainFor(context, call, rows.adapter);
           });
}

// The deltas of all calls one after the other, and what they write on the way.
struct Deltas {
    std::vector<kernels::LinearDelta> list;
    std::vector<size_t> ends;  // by call, behind its last delta
    std::vector<Tensor> low;

    void add(const Context& context, const Tensor& x, const LinearCall& call) {
        for (const AdapterRows& rows : context.adapterRows) {
            const LowRankDelta* delta = deltaOf(call, rows.adapter);
            if (delta == nullptr || rows.begin == rows.end) continue;
            const Shape shape{rows.end - rows.begin, delta->a.value.shape()[0]};
            low.push_back(Tensor::empty(context.device, x.dtype(), shape, MemoryOwner::Activations));
            list.push_back({.begin = rows.begin,
                            .end = rows.end,
                            .a = delta->a.value.view(),
                            .b = delta->b.value.view(),
                            .low = low.back().view(),
                            .scale = delta->scale});
        }
        ends.push_back(list.size());
    }
    std::span<const kernels::LinearDelta> of(size_t call) const {
        const size_t begin = call == 0 ? 0 : ends[call - 1];
        return std::span(list).subspan(begin, ends[call] - begin);
    }
};

}  // namespace

bool runsAsGroup(const Context& context, const Var& x, std::span<const LinearCall> calls) {
    return context.tape == nullptr && x.value.shape()[0] <= kernels::kIndependentRows &&
           std::ranges::all_of(calls, [&](const LinearCall& call) { return isPlain(context, x, call); });
}

std::vector<Var> linearGroup(const Context& context, const Var& x, std::span<const LinearCall> calls) {
    std::vector<Var> outs;
    outs.reserve(calls.size());
    if (!runsAsGroup(context, x, calls)) {
        for (const LinearCall& call : calls) outs.push_back(linear(context, x, call.weight, call.bias, call.deltas));
        return outs;
    }
    Deltas deltas;
    for (const LinearCall& call : calls) deltas.add(context, x.value, call);
    std::vector<kernels::LinearPart> parts;
    parts.reserve(calls.size());
    for (const LinearCall& call : calls) {
        const Shape shape{x.value.shape()[0], call.weight.value.shape()[0]};
        outs.push_back({Tensor::empty(context.device, x.value.dtype(), shape, MemoryOwner::Activations)});
        parts.push_back({.weight = call.weight.value.view(),
                         .bias = call.bias != nullptr ? call.bias->value.view() : kernels::View{},
                         .out = outs.back().value.view(),
                         .deltas = deltas.of(parts.size())});
    }
    kernels::linearGroup(context.device, {.x = x.value.view(), .parts = parts});
    return outs;
}

}  // namespace wb::core
