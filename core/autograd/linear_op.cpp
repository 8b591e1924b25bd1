// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/ops.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

#include <algorithm>
#include <utility>

namespace wb::core {
namespace {

using kernels::MemoryOwner;
using kernels::Write;

// One adapter on a range of rows, with what its backward needs.
struct AppliedDelta {
    LowRankDelta* delta = nullptr;
    int64_t begin = 0;
    int64_t end = 0;
    Tensor low;  // dropout(x) A^T [rows, rank]
    uint64_t dropoutSeed = 0;
    uint64_t dropoutOffset = 0;

    bool hasDropout() const { return dropoutSeed != 0; }
};

Tensor droppedRows(const kernels::Context& device, const AppliedDelta& applied, const Tensor& rows) {
    Tensor out = Tensor::empty(device, rows.dtype(), rows.shape(), MemoryOwner::Activations);
    kernels::dropout(device, {.x = rows.view(),
                              .out = out.view(),
                              .p = applied.delta->dropout,
                              .seed = applied.dropoutSeed,
                              .offset = applied.dropoutOffset});
    return out;
}

AppliedDelta applyDelta(const Context& context, const Tensor& x, const Tensor& out, const AdapterRows& rows,
                        LowRankDelta& delta) {
    AppliedDelta applied{.delta = &delta, .begin = rows.begin, .end = rows.end};
    Tensor input = x.rows(rows.begin, rows.end);
    if (delta.dropout > 0 && context.dropout != nullptr) {
        applied.dropoutSeed = context.dropout->seed;
        applied.dropoutOffset = context.dropout->take(input.count());
        input = droppedRows(context.device, applied, input);
    }
    const Shape lowShape{rows.end - rows.begin, delta.a.value.shape()[0]};
    applied.low = Tensor::empty(context.device, x.dtype(), lowShape, MemoryOwner::Activations);
    kernels::linearForward(context.device,
                           {.x = input.view(), .weight = delta.a.value.view(), .out = applied.low.view()});
    kernels::linearForward(context.device, {.x = applied.low.view(),
                                            .weight = delta.b.value.view(),
                                            .out = out.rows(rows.begin, rows.end).view(),
                                            .alpha = delta.scale,
                                            .write = Write::Add});
    return applied;
}

void backwardDelta(const kernels::Context& device, const AppliedDelta& applied, const Tensor& x, const Tensor& dOut,
                   const Tensor& dX) {
    LowRankDelta& delta = *applied.delta;
    const Tensor dRows = dOut.rows(applied.begin, applied.end);
    if (delta.b.isTrainable()) {
        kernels::linearBackwardWeight(
            device,
            {.dOut = dRows.view(), .x = applied.low.view(), .dWeight = delta.b.gradient.view(), .alpha = delta.scale});
    }
    Tensor dLow = Tensor::empty(device, x.dtype(), applied.low.shape(), MemoryOwner::Activations);
    kernels::linearBackwardInput(
        device, {.dOut = dRows.view(), .weight = delta.b.value.view(), .dX = dLow.view(), .alpha = delta.scale});

    const Tensor xRows = x.rows(applied.begin, applied.end);
    if (delta.a.isTrainable()) {
        const Tensor input = applied.hasDropout() ? droppedRows(device, applied, xRows) : xRows;
        kernels::linearBackwardWeight(device,
                                      {.dOut = dLow.view(), .x = input.view(), .dWeight = delta.a.gradient.view()});
    }
    if (!dX.isPresent()) return;
    const Tensor dXRows = dX.rows(applied.begin, applied.end);
    if (!applied.hasDropout()) {
        kernels::linearBackwardInput(
            device, {.dOut = dLow.view(), .weight = delta.a.value.view(), .dX = dXRows.view(), .write = Write::Add});
        return;
    }
    Tensor dInput = Tensor::empty(device, x.dtype(), dXRows.shape(), MemoryOwner::Activations);
    kernels::linearBackwardInput(device, {.dOut = dLow.view(), .weight = delta.a.value.view(), .dX = dInput.view()});
    const Tensor dropped = droppedRows(device, applied, dInput);
    kernels::add(device, {.a = dXRows.view(), .b = dropped.view(), .out = dXRows.view()});
}

bool isTrained(const AppliedDelta& applied) {
    return applied.delta->a.isTrainable() || applied.delta->b.isTrainable();
}

}  // namespace

Var linear(const Context& context, const Var& x, Parameter& weight, Parameter* bias,
           std::span<LowRankDelta* const> deltas) {
    const kernels::Context& device = context.device;
    const Shape outShape{x.value.shape()[0], weight.value.shape()[0]};
    Tensor out = Tensor::empty(device, x.value.dtype(), outShape, MemoryOwner::Activations);
    kernels::linearForward(device, {.x = x.value.view(),
                                    .weight = weight.value.view(),
                                    .bias = bias != nullptr ? bias->value.view() : kernels::View{},
                                    .out = out.view()});

    std::vector<AppliedDelta> applied;
    for (const AdapterRows& rows : context.adapterRows) {
        const auto index = static_cast<size_t>(rows.adapter);
        if (index >= deltas.size() || deltas[index] == nullptr || rows.begin == rows.end) continue;
        applied.push_back(applyDelta(context, x.value, out, rows, *deltas[index]));
    }

    const bool trainsWeight = weight.isTrainable() || (bias != nullptr && bias->isTrainable());
    const bool trainsDelta = std::ranges::any_of(applied, isTrained);
    if (context.tape == nullptr || !(x.needsGradient() || trainsWeight || trainsDelta)) return {std::move(out)};

    // A frozen layer without adapters needs only its weight to pass the gradient on: its input is not kept.
    const Tensor saved = trainsWeight || !applied.empty() ? x.value : Tensor{};
    return context.tape->record(std::move(out), [saved, xShape = x.value.shape(), node = x.node,
                                                 applied = std::move(applied), &weight, bias,
                                                 trainsWeight](Tape& tape, const Tensor& dOut) {
        const kernels::Context& ctx = tape.context();
        if (trainsWeight) {
            const bool trainsBias = bias != nullptr && bias->isTrainable();
            kernels::linearBackwardWeight(ctx, {.dOut = dOut.view(),
                                                .x = saved.view(),
                                                .dWeight = weight.gradient.view(),
                                                .dBias = trainsBias ? bias->gradient.view() : kernels::View{}});
        }
        Tensor dX;
        if (node >= 0) {
            dX = Tensor::empty(ctx, dOut.dtype(), xShape, MemoryOwner::Activations);
            kernels::linearBackwardInput(ctx, {.dOut = dOut.view(), .weight = weight.value.view(), .dX = dX.view()});
        }
        for (const AppliedDelta& delta : applied) backwardDelta(ctx, delta, saved, dOut, dX);
        tape.accumulate(node, std::move(dX));
    });
}

}  // namespace wb::core
