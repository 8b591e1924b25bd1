// SPDX-License-Identifier: Apache-2.0
#include "kernels/rms_norm.h"

#include "core/autograd/ops.h"
#include "core/autograd/row_ranges.h"

namespace wb::core {
namespace {

using kernels::MemoryOwner;

// Records normed = norm(sum). The gradient that reaches `sum` by the residual connection is already on the tape when
// this runs backward, so the kernel adds it in the same sweep.
Var recordNorm(Tape& tape, Tensor normed, const Var& sum, Tensor invRms, std::vector<WeightRange> ranges,
               float weightOffset) {
    return tape.record(std::move(normed), [saved = sum.value, node = sum.node, invRms = std::move(invRms),
                                           ranges = std::move(ranges), weightOffset](Tape& t, const Tensor& dOut) {
        const Tensor dResidual = t.takeGradient(node);
        const bool writesInPlace = dResidual.isPresent() && dResidual.ownsStorageAlone();
        const Tensor dX = writesInPlace
                              ? dResidual
                              : Tensor::empty(t.context(), saved.dtype(), saved.shape(), MemoryOwner::Activations);
        for (const WeightRange& range : ranges) {
            kernels::rmsNormBackward(t.context(), {.dOut = range.of(dOut),
                                                   .s = range.of(saved),
                                                   .weight = range.weight->value.view(),
                                                   .invRms = range.of(invRms),
                                                   .dResidual = range.of(dResidual),
                                                   .dX = range.of(dX),
                                                   .dWeight = gradientSum(t.context(), *range.weight).view(),
                                                   .weightOffset = weightOffset});
        }
        t.accumulate(node, dX);
    });
}

struct NormOutputs {
    Tensor normed;
    Tensor invRms;
};

NormOutputs normOutputs(const Context& context, const Tensor& x) {
    return {Tensor::empty(context.device, x.dtype(), x.shape(), MemoryOwner::Activations),
            Tensor::empty(context.device, gradientDtype(x.dtype()), Shape{x.shape()[0]}, MemoryOwner::Activations)};
}

}  // namespace

Var rmsNorm(const Context& context, const Var& x, Parameter& weight, float eps, float weightOffset) {
    auto [normed, invRms] = normOutputs(context, x.value);
    std::vector<WeightRange> ranges = weightRanges(context, x.value.shape()[0], weight, nullptr);
    for (const WeightRange& range : ranges) {
        kernels::rmsNormForward(context.device, {.x = range.of(x.value),
                                                 .weight = range.weight->value.view(),
                                                 .out = range.of(normed),
                                                 .invRms = range.of(invRms),
                                                 .eps = eps,
                                                 .weightOffset = weightOffset});
    }
    if (context.tape == nullptr || !(x.needsGradient() || anyTrainable(ranges))) return {std::move(normed)};
    return recordNorm(*context.tape, std::move(normed), x, std::move(invRms), std::move(ranges), weightOffset);
}

NormedSum addRmsNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, float eps,
                     float weightOffset) {
    auto [normed, invRms] = normOutputs(context, x.value);
    Tensor sum = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    std::vector<WeightRange> ranges = weightRanges(context, x.value.shape()[0], weight, nullptr);
    for (const WeightRange& range : ranges) {
        kernels::rmsNormForward(context.device, {.x = range.of(x.value),
                                                 .residual = range.of(residual.value),
                                                 .weight = range.weight->value.view(),
                                                 .out = range.of(normed),
                                                 .sum = range.of(sum),
                                                 .invRms = range.of(invRms),
                                                 .eps = eps,
                                                 .weightOffset = weightOffset});
    }
    if (context.tape == nullptr || !(x.needsGradient() || residual.needsGradient() || anyTrainable(ranges))) {
        return {{std::move(normed)}, {std::move(sum)}};
    }
    const Var summed = context.tape->record(
        std::move(sum), [nodeX = x.node, nodeResidual = residual.node](Tape& tape, const Tensor& dSum) {
            tape.accumulate(nodeX, dSum);
            tape.accumulate(nodeResidual, dSum);
        });
    return {recordNorm(*context.tape, std::move(normed), summed, std::move(invRms), std::move(ranges), weightOffset),
            summed};
}

}  // namespace wb::core
