// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/low_rank_op.h"

#include "kernels/base/error.h"
#include "kernels/column_scale.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "kernels/row_norm.h"

namespace wb::core {
namespace {

using kernels::MemoryOwner;
using kernels::Write;

Tensor like(const kernels::Context& device, const Tensor& tensor) {
    return Tensor::empty(device, tensor.dtype(), tensor.shape(), MemoryOwner::Activations);
}

// A vector [n] as one row.
Tensor asRow(const Tensor& vector) {
    return vector.reshaped(Shape{1, vector.count()});
}

Tensor droppedRows(const kernels::Context& device, const AppliedDelta& applied, const Tensor& rows) {
    Tensor out = like(device, rows);
    kernels::dropout(device, {.x = rows.view(),
                              .out = out.view(),
                              .p = applied.delta->dropout,
                              .seed = applied.dropoutSeed,
                              .offset = applied.dropoutOffset});
    return out;
}

// a - b
Tensor difference(const kernels::Context& device, const Tensor& a, const Tensor& b) {
    Tensor out = like(device, a);
    kernels::scale(device, {.x = b.view(), .out = out.view(), .factor = -1.0F});
    kernels::add(device, {.a = a.view(), .b = out.view(), .out = out.view()});
    return out;
}

// target += scale * (low B^T + biasB)
void addLowRank(const kernels::Context& device, const LowRankDelta& delta, const Tensor& low, const Tensor& target) {
    Tensor bias;
    if (delta.biasB.value.isPresent()) {
        bias = like(device, delta.biasB.value);
        kernels::scale(device, {.x = delta.biasB.value.view(), .out = bias.view(), .factor = delta.scale});
    }
    kernels::linearForward(device, {.x = low.view(),
                                    .weight = delta.b.value.view(),
                                    .bias = bias.isPresent() ? bias.view() : kernels::View{},
                                    .out = target.view(),
                                    .alpha = delta.scale,
                                    .write = Write::Add});
}

Tensor gainOf(const kernels::Context& device, const LowRankDelta& delta) {
    const Tensor magnitude = asRow(delta.magnitude.value);
    Tensor gain = Tensor::empty(device, gradientDtype(magnitude.dtype()), magnitude.shape(), MemoryOwner::Activations);
    kernels::columnScaleForward(
        device, {.x = magnitude.view(), .gain = delta.inverseNorms.view(), .bias = {}, .out = gain.view()});
    return gain;
}

kernels::View flat(const Tensor& row) {
    return row.reshaped(Shape{row.count()}).view();
}

// input is dropout(x), or x itself.
void applyMagnitude(const kernels::Context& device, AppliedDelta& applied, const Tensor& x, const Tensor& input,
                    const Tensor& out) {
    const LowRankDelta& delta = *applied.delta;
    const Tensor& weight = applied.weights.weight->value;
    const kernels::View bias = applied.weights.bias != nullptr ? applied.weights.bias->value.view() : kernels::View{};
    applied.gain = gainOf(device, delta);
    applied.raw = like(device, out);
    kernels::linearForward(device, {.x = input.view(), .weight = weight.view(), .out = applied.raw.view()});
    addLowRank(device, delta, applied.low, applied.raw);
    if (applied.hasDropout()) {
        const Tensor lost = difference(device, x, input);
        kernels::linearForward(device, {.x = lost.view(), .weight = weight.view(), .bias = bias, .out = out.view()});
    }
    kernels::columnScaleForward(device, {.x = applied.raw.view(),
                                         .gain = flat(applied.gain),
                                         .bias = applied.hasDropout() ? kernels::View{} : bias,
                                         .out = out.view(),
                                         .accumulates = applied.hasDropout()});
}

// Returns the gradient of `raw`; adds those of the magnitude and of the layer's bias.
Tensor backwardMagnitude(const kernels::Context& device, const AppliedDelta& applied, const Tensor& dOut) {
    LowRankDelta& delta = *applied.delta;
    Parameter* bias = applied.weights.bias;
    Tensor dRaw = like(device, dOut);
    Tensor dGain;
    if (delta.magnitude.isTrainable()) {
        dGain = Tensor::zeros(device, applied.gain.dtype(), applied.gain.shape(), MemoryOwner::Activations);
    }
    kernels::columnScaleBackward(device,
                                 {.dOut = dOut.view(),
                                  .x = applied.raw.view(),
                                  .gain = flat(applied.gain),
                                  .dX = dRaw.view(),
                                  .dGain = dGain.isPresent() ? flat(dGain) : kernels::View{},
                                  .dBias = bias != nullptr ? gradientSum(device, *bias).view() : kernels::View{}});
    if (dGain.isPresent()) {
        kernels::columnScaleForward(device, {.x = dGain.view(),
                                             .gain = delta.inverseNorms.view(),
                                             .bias = {},
                                             .out = asRow(gradientSum(device, delta.magnitude)).view(),
                                             .accumulates = true});
    }
    return dRaw;
}

// d(dropout(x)) of the low-rank path, added to dInput; dTop is the gradient of scale * low B^T.
void backwardInput(const kernels::Context& device, const LowRankDelta& delta, const Tensor& dLow, const Tensor& dInput,
                   Write write) {
    kernels::linearBackwardInput(
        device, {.dOut = dLow.view(), .weight = delta.a.value.view(), .dX = dInput.view(), .write = write});
}

// dX of rows with a magnitude: through the layer's own weight and through the adapter.
void backwardDecomposedInput(const kernels::Context& device, const AppliedDelta& applied, const Tensor& dOut,
                             const Tensor& dRaw, const Tensor& dLow, const Tensor& dX) {
    const kernels::View weight = applied.weights.weight->value.view();
    if (!applied.hasDropout()) {
        kernels::linearBackwardInput(device, {.dOut = dRaw.view(), .weight = weight, .dX = dX.view()});
        backwardInput(device, *applied.delta, dLow, dX, Write::Add);
        return;
    }
    const Tensor dKept = difference(device, dRaw, dOut);
    const Tensor dInput = like(device, dX);
    kernels::linearBackwardInput(device, {.dOut = dKept.view(), .weight = weight, .dX = dInput.view()});
    backwardInput(device, *applied.delta, dLow, dInput, Write::Add);
    const Tensor dropped = droppedRows(device, applied, dInput);
    kernels::linearBackwardInput(device, {.dOut = dOut.view(), .weight = weight, .dX = dX.view()});
    kernels::add(device, {.a = dX.view(), .b = dropped.view(), .out = dX.view()});
}

void backwardPlainInput(const kernels::Context& device, const AppliedDelta& applied, const Tensor& dLow,
                        const Tensor& dX) {
    if (!applied.hasDropout()) return backwardInput(device, *applied.delta, dLow, dX, Write::Add);
    const Tensor dInput = like(device, dX);
    backwardInput(device, *applied.delta, dLow, dInput, Write::Replace);
    const Tensor dropped = droppedRows(device, applied, dInput);
    kernels::add(device, {.a = dX.view(), .b = dropped.view(), .out = dX.view()});
}

}  // namespace

void accumulateColumnSums(const kernels::Context& device, const Tensor& dOut, const Tensor& gradient, float factor) {
    if (factor == 1.0F) {
        kernels::columnScaleBackward(
            device, {.dOut = dOut.view(), .x = {}, .gain = {}, .dX = {}, .dGain = {}, .dBias = gradient.view()});
        return;
    }
    const Tensor sums = Tensor::zeros(device, gradient.dtype(), gradient.shape(), MemoryOwner::Activations);
    accumulateColumnSums(device, dOut, sums);
    kernels::scale(device, {.x = sums.view(), .out = gradient.view(), .factor = factor, .accumulates = true});
}

AppliedDelta applyDelta(const Context& context, const Tensor& x, const Tensor& out, const AdapterRows& rows,
                        LowRankDelta& delta, const LinearWeights& weights) {
    const kernels::Context& device = context.device;
    AppliedDelta applied{.delta = &delta, .weights = weights, .begin = rows.begin, .end = rows.end};
    const Tensor xRows = x.rows(rows.begin, rows.end);
    const Tensor outRows = out.rows(rows.begin, rows.end);
    Tensor input = xRows;
    if (delta.dropout > 0 && context.dropout != nullptr) {
        applied.dropoutSeed = context.dropout->seed;
        applied.dropoutOffset = context.dropout->take(input.count());
        input = droppedRows(device, applied, input);
    }
    const Shape lowShape{rows.end - rows.begin, delta.a.value.shape()[0]};
    applied.low = Tensor::empty(device, x.dtype(), lowShape, MemoryOwner::Activations);
    kernels::linearForward(device, {.x = input.view(), .weight = delta.a.value.view(), .out = applied.low.view()});
    if (delta.hasMagnitude()) {
        applyMagnitude(device, applied, xRows, input, outRows);
    } else {
        addLowRank(device, delta, applied.low, outRows);
    }
    return applied;
}

void backwardDelta(const kernels::Context& device, const AppliedDelta& applied, const Tensor& x, const Tensor& dOut,
                   const Tensor& dX) {
    LowRankDelta& delta = *applied.delta;
    const Tensor dRows = dOut.rows(applied.begin, applied.end);
    const Tensor dTop = delta.hasMagnitude() ? backwardMagnitude(device, applied, dRows) : dRows;
    if (delta.b.isTrainable()) {
        kernels::linearBackwardWeight(device, {.dOut = dTop.view(),
                                               .x = applied.low.view(),
                                               .dWeight = delta.b.gradient.view(),
                                               .alpha = delta.scale,
                                               .write = firstWrite(delta.b)});
    }
    if (delta.biasB.isTrainable()) accumulateColumnSums(device, dTop, gradientSum(device, delta.biasB), delta.scale);
    Tensor dLow = like(device, applied.low);
    kernels::linearBackwardInput(
        device, {.dOut = dTop.view(), .weight = delta.b.value.view(), .dX = dLow.view(), .alpha = delta.scale});

    const Tensor xRows = x.rows(applied.begin, applied.end);
    if (delta.a.isTrainable()) {
        const Tensor input = applied.hasDropout() ? droppedRows(device, applied, xRows) : xRows;
        kernels::linearBackwardWeight(
            device,
            {.dOut = dLow.view(), .x = input.view(), .dWeight = delta.a.gradient.view(), .write = firstWrite(delta.a)});
    }
    if (!dX.isPresent()) return;
    const Tensor dXRows = dX.rows(applied.begin, applied.end);
    if (delta.hasMagnitude()) {
        backwardDecomposedInput(device, applied, dRows, dTop, dLow, dXRows);
    } else {
        backwardPlainInput(device, applied, dLow, dXRows);
    }
}

void refreshNorms(const kernels::Context& context, LowRankDelta& delta, const Tensor& weight) {
    if (!delta.hasMagnitude()) return;
    // In the type of sums: the norm of rounded BF16 sums would be off by their rounding.
    const DType dtype = gradientDtype(delta.b.value.dtype());
    const Tensor sum = Tensor::empty(context, dtype, weight.shape(), MemoryOwner::Workspace);
    copyWeight(context, weight, sum);
    kernels::linearBackwardInput(context, {.dOut = delta.b.value.view(),
                                           .weight = delta.a.value.view(),
                                           .dX = sum.view(),
                                           .alpha = delta.scale,
                                           .write = Write::Add});
    if (!delta.inverseNorms.isPresent()) {
        delta.inverseNorms = Tensor::empty(context, dtype, Shape{weight.shape()[0]}, MemoryOwner::Weights);
    }
    kernels::rowNorm(context, {.x = sum.view(), .inverse = delta.inverseNorms.view()});
}

}  // namespace wb::core
