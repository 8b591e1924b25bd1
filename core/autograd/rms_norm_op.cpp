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

// How rows are normalised; the weights of a range are its own.
struct RmsNorm {
    std::vector<WeightRange> ranges;
    float eps;
    float weightOffset;

    // A residual comes with a sum.
    void run(const kernels::Context& device, const Tensor& x, const Tensor& residual, const Tensor& sum,
             const Tensor& normed, const Tensor& invRms) const {
        for (const WeightRange& range : ranges) {
            kernels::rmsNormForward(device, {.x = range.of(x),
                                             .residual = range.of(residual),
                                             .weight = range.weight->value.view(),
                                             .out = range.of(normed),
                                             .sum = range.of(sum),
                                             .invRms = range.of(invRms),
                                             .eps = eps,
                                             .weightOffset = weightOffset});
        }
    }
};

Tensor statisticOf(const kernels::Context& device, const Tensor& x) {
    return Tensor::empty(device, gradientDtype(x.dtype()), Shape{x.shape()[0]}, MemoryOwner::Activations);
}

// Records normed = norm(sum), which may be made again from the sum.
Var recordNorm(const Context& context, Tensor normed, const Var& sum, Tensor invRms, RmsNorm norm) {
    Var out = recordNorm(*context.tape, std::move(normed), sum, std::move(invRms), norm.ranges, norm.weightOffset);
    out.again = context.recomputed([s = sum.value, norm = std::move(norm)](const kernels::Context& device) {
        Tensor again = Tensor::empty(device, s.dtype(), s.shape(), MemoryOwner::Activations);
        norm.run(device, s, {}, {}, again, {});
        return again;
    });
    return out;
}

}  // namespace

Var rmsNorm(const Context& context, const Var& x, Parameter& weight, float eps, float weightOffset) {
    RmsNorm norm{weightRanges(context, x.value.shape()[0], weight, nullptr), eps, weightOffset};
    Tensor normed = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    Tensor invRms = statisticOf(context.device, x.value);
    norm.run(context.device, x.value, {}, {}, normed, invRms);
    if (context.tape == nullptr || !(x.needsGradient() || anyTrainable(norm.ranges))) return {std::move(normed)};
    return recordNorm(context, std::move(normed), x, std::move(invRms), std::move(norm));
}

NormedSum addRmsNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, float eps,
                     float weightOffset) {
    RmsNorm norm{weightRanges(context, x.value.shape()[0], weight, nullptr), eps, weightOffset};
    Tensor normed = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    Tensor invRms = statisticOf(context.device, x.value);
    Tensor sum = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    norm.run(context.device, x.value, residual.value, sum, normed, invRms);
    if (context.tape == nullptr || !(x.needsGradient() || residual.needsGradient() || anyTrainable(norm.ranges))) {
        return {{std::move(normed)}, {std::move(sum)}};
    }
    const Var summed = context.tape->record(
        std::move(sum), [nodeX = x.node, nodeResidual = residual.node](Tape& tape, const Tensor& dSum) {
            tape.accumulate(nodeX, dSum);
            tape.accumulate(nodeResidual, dSum);
        });
    return {recordNorm(context, std::move(normed), summed, std::move(invRms), std::move(norm)), summed};
}

}  // namespace wb::core
