// SPDX-License-Identifier: Apache-2.0
#include "kernels/layer_norm.h"

#include "core/autograd/ops.h"

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

bool isTrainable(const Parameter& weight, const Parameter* bias) {
    return weight.isTrainable() || (bias != nullptr && bias->isTrainable());
}

kernels::View valueView(const Parameter* bias) {
    return bias != nullptr ? bias->value.view() : kernels::View{};
}

// Records normed = norm(sum). The gradient that reaches `sum` by the residual connection is already on the tape when
// this runs backward, so the kernel adds it in the same sweep.
Var recordNorm(Tape& tape, NormOutputs outputs, const Var& sum, Parameter& weight, Parameter* bias) {
    Tensor normed = std::move(outputs.normed);
    return tape.record(std::move(normed), [saved = sum.value, node = sum.node, mean = std::move(outputs.mean),
                                           invStd = std::move(outputs.invStd), &weight,
                                           bias](Tape& t, const Tensor& dOut) {
        const Tensor dResidual = t.takeGradient(node);
        const bool writesInPlace = dResidual.isPresent() && dResidual.ownsStorageAlone();
        const Tensor dX = writesInPlace
                              ? dResidual
                              : Tensor::empty(t.context(), saved.dtype(), saved.shape(), MemoryOwner::Activations);
        kernels::layerNormBackward(t.context(), {.dOut = dOut.view(),
                                                 .s = saved.view(),
                                                 .weight = weight.value.view(),
                                                 .mean = mean.view(),
                                                 .invStd = invStd.view(),
                                                 .dResidual = dResidual.view(),
                                                 .dX = dX.view(),
                                                 .dWeight = weight.gradient.view(),
                                                 .dBias = bias != nullptr ? bias->gradient.view() : kernels::View{}});
        t.accumulate(node, dX);
    });
}

}  // namespace

Var layerNorm(const Context& context, const Var& x, Parameter& weight, Parameter* bias, float eps) {
    const bool records = context.tape != nullptr && (x.needsGradient() || isTrainable(weight, bias));
    NormOutputs outputs = normOutputs(context, x.value, records);
    kernels::layerNormForward(context.device, {.x = x.value.view(),
                                               .residual = {},
                                               .weight = weight.value.view(),
                                               .bias = valueView(bias),
                                               .out = outputs.normed.view(),
                                               .sum = {},
                                               .mean = outputs.mean.view(),
                                               .invStd = outputs.invStd.view(),
                                               .eps = eps});
    if (!records) return {std::move(outputs.normed)};
    return recordNorm(*context.tape, std::move(outputs), x, weight, bias);
}

NormedSum addLayerNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, Parameter* bias,
                       float eps) {
    const bool records =
        context.tape != nullptr && (x.needsGradient() || residual.needsGradient() || isTrainable(weight, bias));
    NormOutputs outputs = normOutputs(context, x.value, records);
    Tensor sum = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    kernels::layerNormForward(context.device, {.x = x.value.view(),
                                               .residual = residual.value.view(),
                                               .weight = weight.value.view(),
                                               .bias = valueView(bias),
                                               .out = outputs.normed.view(),
                                               .sum = sum.view(),
                                               .mean = outputs.mean.view(),
                                               .invStd = outputs.invStd.view(),
                                               .eps = eps});
    if (!records) return {{std::move(outputs.normed)}, {std::move(sum)}};
    const Var summed = context.tape->record(
        std::move(sum), [nodeX = x.node, nodeResidual = residual.node](Tape& tape, const Tensor& dSum) {
            tape.accumulate(nodeX, dSum);
            tape.accumulate(nodeResidual, dSum);
        });
    return {recordNorm(*context.tape, std::move(outputs), summed, weight, bias), summed};
}

}  // namespace wb::core
