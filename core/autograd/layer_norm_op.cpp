// SPDX-License-Identifier: Apache-2.0
#include "kernels/layer_norm.h"

#include "core/autograd/ops.h"
#include "core/autograd/row_ranges.h"

namespace wb::core {
namespace {

using kernels::MemoryOwner;

// What the kernel writes; the statistics of rows exist only where a backward pass will read them.
struct NormOutputs {
    Tensor normed;
    Tensor sum;
    Tensor mean;
    Tensor invStd;
};

NormOutputs normOutputs(const kernels::Context& device, const Tensor& x, bool records) {
    NormOutputs outputs;
    outputs.normed = Tensor::empty(device, x.dtype(), x.shape(), MemoryOwner::Activations);
    if (!records) return outputs;
    const Shape perRow{x.shape()[0]};
    outputs.mean = Tensor::empty(device, gradientDtype(x.dtype()), perRow, MemoryOwner::Activations);
    outputs.invStd = Tensor::empty(device, gradientDtype(x.dtype()), perRow, MemoryOwner::Activations);
    return outputs;
}

// How rows are normalised; the weights of a range are its own.
struct LayerNorm {
    std::vector<WeightRange> ranges;
    float eps;

    // A residual comes with outputs.sum.
    void run(const kernels::Context& device, const Tensor& x, const Tensor& residual,
             const NormOutputs& outputs) const {
        for (const WeightRange& range : ranges) {
            kernels::layerNormForward(device, {.x = range.of(x),
                                               .residual = range.of(residual),
                                               .weight = range.weight->value.view(),
                                               .bias = range.biasValue(),
                                               .out = range.of(outputs.normed),
                                               .sum = range.of(outputs.sum),
                                               .mean = range.of(outputs.mean),
                                               .invStd = range.of(outputs.invStd),
                                               .eps = eps});
        }
    }
};

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

// The same, and how it is made again from the sum.
Var recordNorm(const Context& context, NormOutputs outputs, const Var& sum, LayerNorm norm) {
    Var out = recordNorm(*context.tape, std::move(outputs), sum, norm.ranges);
    out.again = context.recomputed([s = sum.value, norm = std::move(norm)](const kernels::Context& device) {
        NormOutputs again = normOutputs(device, s, false);
        norm.run(device, s, {}, again);
        return std::move(again.normed);
    });
    return out;
}

}  // namespace

Var layerNorm(const Context& context, const Var& x, Parameter& weight, Parameter* bias, float eps) {
    LayerNorm norm{weightRanges(context, x.value.shape()[0], weight, bias), eps};
    const bool records = context.tape != nullptr && (x.needsGradient() || anyTrainable(norm.ranges));
    NormOutputs outputs = normOutputs(context.device, x.value, records);
    norm.run(context.device, x.value, {}, outputs);
    if (!records) return {std::move(outputs.normed)};
    return recordNorm(context, std::move(outputs), x, std::move(norm));
}

NormedSum addLayerNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, Parameter* bias,
                       float eps) {
    LayerNorm norm{weightRanges(context, x.value.shape()[0], weight, bias), eps};
    const bool records =
        context.tape != nullptr && (x.needsGradient() || residual.needsGradient() || anyTrainable(norm.ranges));
    NormOutputs outputs = normOutputs(context.device, x.value, records);
    outputs.sum = Tensor::empty(context.device, x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
    norm.run(context.device, x.value, residual.value, outputs);
    if (!records) return {{std::move(outputs.normed)}, {std::move(outputs.sum)}};
    const Var summed = context.tape->record(
        std::move(outputs.sum), [nodeX = x.node, nodeResidual = residual.node](Tape& tape, const Tensor& dSum) {
            tape.accumulate(nodeX, dSum);
            tape.accumulate(nodeResidual, dSum);
        });
    return {recordNorm(context, std::move(outputs), summed, std::move(norm)), summed};
}

}  // namespace wb::core
