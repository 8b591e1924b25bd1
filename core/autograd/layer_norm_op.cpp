// SPDX-License-Identifier: Apache-2.0
#include "kernels/layer_norm.h"

#include "core/autograd/ops.h"
#include "core/autograd/row_ranges.h"

namespace wb::core {
namespace {

using kernels::MemoryOwner;

struct NormOutputs {
    Tensor normed;
    Tensor mean;
    Tensor invStd;
};

// The outputs of the kernel; the statistics of rows exist only where a backward pass will read them.
NormOutputs normOutputs(const Context& context, const Tensor& x, bool records) {
    NormOutputs outputs{Tensor::empty(context.device, x.dtype(), x.shape(), MemoryOwner::Activations), {}, {}};
    if (!records) return outputs;
    const Shape perRow{x.shape()[0]};
    outputs.mean = Tensor::empty(context.device, gradientDtype(x.dtype()), perRow, MemoryOwner::Activations);
    outputs.invStd = Tensor::empty(context.device, gradientDtype(x.dtype()), perRow, MemoryOwner::Activations);
    return outputs;
}

// Records normed = norm(sum). The gradient that reaches `sum` by the residual connection is already on the tape when
// this runs backward, so the kernel adds it in the same sweep.
Var recordNorm(Tape& tape, NormOutputs outputs, const Var& sum, std::vector<WeightRange> ranges) {
    Tensor normed = std::move(outputs.normed);
    return tape.record(std::move(normed), [saved = sum.value, node = sum.node, mean = std::move(outputs.mean),
                                           invStd = std::move(outputs.invStd),
                                           ranges = std::move(ranges)](Tape& t, const Tensor& dOut) {
        const Tensor dResidual = t.takeGradient(node);
        const bool writesInPlace = dResidual.isPresent() && dResidual.ownsStorageAlone();
        const Tensor dX = writesInPlace
                              ? dResidual
                              : Tensor::empty(t.context(), saved.dtype(), saved.shape(), MemoryOwner::Activations);
        for (const WeightRange& range : ranges) {
            kernels::layerNormBackward(t.context(), {.dOut = range.of(dOut),
                                                     .s = range.of(saved),
                                                     .weight = range.weight->value.view(),
                                                     .mean = range.of(mean),
                                                     .invStd = range.of(invStd),
                                                     .dResidual = range.of(dResidual),
                                                     .dX = range.of(dX),
                                                     .dWeight = gradientSum(t.context(), *range.weight).view(),
                                                     .dBias = range.biasGradient(t.context())});
        }
        t.accumulate(node, dX);
    });
}

}  // namespace

Var layerNorm(const Context& context, const Var& x, Parameter& weight, Parameter* bias, float eps) {
    std::vector<WeightRange> ranges = weightRanges(context, x.value.shape()[0], weight, bias);
    const bool records = context.tape != nullptr && (x.needsGradient() || anyTrainable(ranges));
    NormOutputs outputs = normOutputs(context, x.value, records);
    for (const WeightRange& range : ranges) {
        kernels::layerNormForward(context.device, {.x = range.of(x.value),
                                                   .residual = {},
                                                   .weight = range.weight->value.view(),
                                                   .bias = range.biasValue(),
                                                   .out = range.of(outputs.normed),
                                                   .sum = {},
                                                   .mean = range.of(outputs.mean),
                                                   .invStd = range.of(outputs.invStd),
                                                   .eps = eps});
    }
    if (!records) return {std::move(outputs.normed)};
    return recordNorm(*context.tape, std::move(outputs), x, std::move(ranges));
}

NormedSum addLayerNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, Parameter* bias,
                       float eps) {
    std::vector<WeightRange> ranges = weightRanges(context, x.value.shape()[0], weight, bias);
    const bool records =
        context.tape != nullptr && (x.needsGradient() || residual.needsGradient() || anyTrainable(ranges));
    NormOutputs outputs = normOutputs(context, x.value, records);
    Tensor sum = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    for (const WeightRange& range : ranges) {
        kernels::layerNormForward(context.device, {.x = range.of(x.value),
                                                   .residual = range.of(residual.value),
                                                   .weight = range.weight->value.view(),
                                                   .bias = range.biasValue(),
                                                   .out = range.of(outputs.normed),
                                                   .sum = range.of(sum),
                                                   .mean = range.of(outputs.mean),
                                                   .invStd = range.of(outputs.invStd),
                                                   .eps = eps});
    }
    if (!records) return {{std::move(outputs.normed)}, {std::move(sum)}};
    const Var summed = context.tape->record(
        std::move(sum), [nodeX = x.node, nodeResidual = residual.node](Tape& tape, const Tensor& dSum) {
            tape.accumulate(nodeX, dSum);
            tape.accumulate(nodeResidual, dSum);
        });
    return {recordNorm(*context.tape, std::move(outputs), summed, std::move(ranges)), summed};
}

}  // namespace wb::core
