// SPDX-License-Identifier: Apache-2.0
// The way of rows to their experts and back.
#include "core/autograd/ops.h"
#include "kernels/rows.h"

#include <utility>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

Tensor emptyRows(const kernels::Context& context, DType dtype, int64_t rows, int64_t columns) {
    return Tensor::empty(context, dtype, Shape{rows, columns}, MemoryOwner::Activations);
}

// The choice of experts [T k] on the host.
std::vector<int32_t> idsOnHost(const kernels::Context& context, const Tensor& ids, int64_t numExperts) {
    std::vector<int32_t> host(static_cast<size_t>(ids.count()));
    if (context.device.type == DeviceType::Plan) {
        for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<int32_t>(static_cast<int64_t>(i) % numExperts);
    } else {
        copyToHost(context, ids, host.data(), ids.bytes());
    }
    return host;
}

// Sorts assignments by expert, in the order of rows within one: a counting sort.
void sortByExpert(const kernels::Context& context, const std::vector<int32_t>& ids, int64_t numExperts,
                  ExpertRouting& routing) {
    const int64_t expertsPerRow = routing.weights.value.shape()[1];
    routing.expertBounds.assign(static_cast<size_t>(numExperts) + 1, 0);
    for (const int32_t id : ids) ++routing.expertBounds[static_cast<size_t>(id) + 1];
    for (size_t e = 1; e < routing.expertBounds.size(); ++e) routing.expertBounds[e] += routing.expertBounds[e - 1];
    std::vector<int64_t> next = routing.expertBounds;
    std::vector<int32_t> assignments(ids.size());
    std::vector<int32_t> slots(ids.size());
    routing.sourceRows.resize(ids.size());
    for (size_t a = 0; a < ids.size(); ++a) {
        const auto slot = static_cast<size_t>(next[static_cast<size_t>(ids[a])]++);
        assignments[slot] = static_cast<int32_t>(a);
        slots[a] = static_cast<int32_t>(slot);
        routing.sourceRows[slot] = static_cast<int32_t>(static_cast<int64_t>(a) / expertsPerRow);
    }
    routing.assignments = Tensor::fromInts(context, assignments, MemoryOwner::Activations);
    routing.slots = Tensor::fromInts(context, slots, MemoryOwner::Activations).reshaped(routing.weights.value.shape());
}

}  // namespace

ExpertRouting routeExperts(const Context& context, const Var& logits, int64_t expertsPerRow,
                           kernels::RoutingWeights normalisation) {
    const Shape shape{logits.value.shape()[0], expertsPerRow};
    const Tensor ids = Tensor::empty(context.device, DType::I32, shape, MemoryOwner::Activations);
    ExpertRouting routing;
    routing.weights.value =
        Tensor::empty(context.device, gradientDtype(logits.value.dtype()), shape, MemoryOwner::Activations);
    kernels::routeExpertsForward(context.device, {.logits = logits.value.view(),
                                                  .weights = routing.weights.value.view(),
                                                  .ids = ids.view(),
                                                  .normalisation = normalisation});
    const int64_t numExperts = logits.value.shape()[1];
    sortByExpert(context.device, idsOnHost(context.device, ids, numExperts), numExperts, routing);
    if (context.tape == nullptr || !logits.needsGradient()) return routing;
    routing.weights =
        context.tape->record(routing.weights.value, [logits, ids, normalisation](Tape& tape, const Tensor& dWeights) {
            const Tensor dLogits =
                Tensor::empty(tape.context(), logits.value.dtype(), logits.value.shape(), MemoryOwner::Activations);
            kernels::routeExpertsBackward(tape.context(), {.dWeights = dWeights.view(),
                                                           .logits = logits.value.view(),
                                                           .ids = ids.view(),
                                                           .dLogits = dLogits.view(),
                                                           .normalisation = normalisation});
            tape.accumulate(logits.node, dLogits);
        });
    return routing;
}

Var gatherRows(const Context& context, const Var& x, const ExpertRouting& routing) {
    const int64_t columns = x.value.shape()[1];
    const int64_t expertsPerRow = routing.slots.shape()[1];
    Tensor out = emptyRows(context.device, x.value.dtype(), routing.assignments.count(), columns);
    kernels::gatherRows(context.device, {.x = x.value.view(),
                                         .assignments = routing.assignments.view(),
                                         .weights = {},
                                         .out = out.view(),
                                         .rowsPerSource = expertsPerRow});
    if (context.tape == nullptr || !x.needsGradient()) return {std::move(out)};
    return context.tape->record(std::move(out), [node = x.node, slots = routing.slots](Tape& tape, const Tensor& dOut) {
        const Tensor dX = emptyRows(tape.context(), dOut.dtype(), slots.shape()[0], dOut.shape()[1]);
        kernels::combineRows(tape.context(),
                             {.rows = dOut.view(), .slots = slots.view(), .weights = {}, .out = dX.view()});
        tape.accumulate(node, dX);
    });
}

Var combineRows(const Context& context, const Var& rows, const ExpertRouting& routing) {
    const Var& weights = routing.weights;
    Tensor out = emptyRows(context.device, rows.value.dtype(), routing.slots.shape()[0], rows.value.shape()[1]);
    kernels::combineRows(
        context.device,
        {.rows = rows.value.view(), .slots = routing.slots.view(), .weights = weights.value.view(), .out = out.view()});
    if (context.tape == nullptr || !(rows.needsGradient() || weights.needsGradient())) return {std::move(out)};
    // The rows are kept only where the routing learns.
    const Tensor saved = weights.needsGradient() ? rows.value : Tensor{};
    return context.tape->record(std::move(out), [saved, node = rows.node, weights, slots = routing.slots,
                                                 assignments = routing.assignments](Tape& tape, const Tensor& dOut) {
        const kernels::Context& ctx = tape.context();
        if (weights.needsGradient()) {
            const Tensor dWeights =
                Tensor::empty(ctx, weights.value.dtype(), weights.value.shape(), MemoryOwner::Activations);
            kernels::combineRowsBackwardWeights(
                ctx, {.dOut = dOut.view(), .rows = saved.view(), .slots = slots.view(), .dWeights = dWeights.view()});
            tape.accumulate(weights.node, dWeights);
        }
        if (node < 0) return;
        const Tensor dRows = emptyRows(ctx, dOut.dtype(), assignments.count(), dOut.shape()[1]);
        kernels::gatherRows(ctx, {.x = dOut.view(),
                                  .assignments = assignments.view(),
                                  .weights = weights.value.view(),
                                  .out = dRows.view()});
        tape.accumulate(node, dRows);
    });
}

Var scaleRows(const Context& context, const Var& x, const Var& factors) {
    const auto scaled = [](const kernels::Context& ctx, const Tensor& rows, const Tensor& weights) {
        Tensor out = Tensor::empty(ctx, rows.dtype(), rows.shape(), MemoryOwner::Activations);
        kernels::gatherRows(ctx, {.x = rows.view(), .assignments = {}, .weights = weights.view(), .out = out.view()});
        return out;
    };
    Tensor out = scaled(context.device, x.value, factors.value);
    if (context.tape == nullptr || !(x.needsGradient() || factors.needsGradient())) return {std::move(out)};
    const Tensor saved = factors.needsGradient() ? x.value : Tensor{};
    return context.tape->record(std::move(out), [saved, node = x.node, factors, scaled](Tape& tape,
                                                                                        const Tensor& dOut) {
        if (factors.needsGradient()) {
            const Tensor dFactors =
                Tensor::empty(tape.context(), factors.value.dtype(), factors.value.shape(), MemoryOwner::Activations);
            kernels::combineRowsBackwardWeights(
                tape.context(), {.dOut = dOut.view(), .rows = saved.view(), .slots = {}, .dWeights = dFactors.view()});
            tape.accumulate(factors.node, dFactors);
        }
        if (node >= 0) tape.accumulate(node, scaled(tape.context(), dOut, factors.value));
    });
}

}  // namespace wb::core
