// SPDX-License-Identifier: Apache-2.0
#include "core/autograd/low_rank_op.h"
#include "core/autograd/ops.h"
#include "core/autograd/row_ranges.h"
#include "kernels/base/error.h"
#include "kernels/linear.h"

#include <algorithm>
#include <utility>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

// The layer's own product on a range of rows.
struct Product {
    RowRange rows;
    LinearWeights weights;

    bool trainsWeight() const { return weights.weight->isTrainable(); }
    bool trainsBias() const { return weights.bias != nullptr && weights.bias->isTrainable(); }
};

// Everything an adapter may bring to one call of the layer.
struct Layer {
    Parameter& weight;
    Parameter* bias;
    std::span<LowRankDelta* const> deltas;

    LowRankDelta* deltaOf(int32_t adapter) const {
        const auto index = static_cast<size_t>(adapter);
        return adapter >= 0 && index < deltas.size() ? deltas[index] : nullptr;
    }
    LinearWeights weightsFor(int32_t adapter) const {
        return {&weight.forAdapter(adapter), bias != nullptr ? &bias->forAdapter(adapter) : nullptr};
    }
    // With a magnitude the adapter scales the layer's own product: it makes its rows itself.
    bool isDecomposedBy(int32_t adapter) const {
        const LowRankDelta* delta = deltaOf(adapter);
        return delta != nullptr && delta->hasMagnitude();
    }
};

std::vector<Product> multiply(const Context& context, const Layer& layer, const Tensor& x, const Tensor& out) {
    const auto isChanged = [&layer](int32_t adapter) {
        return layer.weight.isReplacedFor(adapter) || layer.isDecomposedBy(adapter) ||
               (layer.bias != nullptr && layer.bias->isReplacedFor(adapter));
    };
    std::vector<Product> products;
    for (const RowRange& rows : rowRanges(context, x.shape()[0], isChanged)) {
        if (layer.isDecomposedBy(rows.adapter)) continue;
        const Product product{rows, layer.weightsFor(rows.adapter)};
        const Parameter* bias = product.weights.bias;
        kernels::linearForward(context.device, {.x = x.rows(rows.begin, rows.end).view(),
                                                .weight = product.weights.weight->value.view(),
                                                .bias = bias != nullptr ? bias->value.view() : kernels::View{},
                                                .out = out.rows(rows.begin, rows.end).view()});
        products.push_back(product);
    }
    return products;
}

std::vector<AppliedDelta> applyDeltas(const Context& context, const Layer& layer, const Tensor& x, const Tensor& out) {
    std::vector<AppliedDelta> applied;
    for (const AdapterRows& rows : context.adapterRows) {
        LowRankDelta* delta = layer.deltaOf(rows.adapter);
        if (delta == nullptr || rows.begin == rows.end) continue;
        const LinearWeights weights = layer.weightsFor(rows.adapter);
        WB_CHECK(!delta->hasMagnitude() || !weights.weight->isTrainable(),
                 "a magnitude belongs to a frozen weight: its norm is a constant");
        applied.push_back(applyDelta(context, x, out, rows, *delta, weights));
    }
    return applied;
}

void backwardProduct(const kernels::Context& device, const Product& product, const Tensor& x, const Tensor& dOut,
                     const Tensor& dX) {
    const auto [begin, end, adapter] = product.rows;
    const Tensor dRows = dOut.rows(begin, end);
    Parameter& weight = *product.weights.weight;
    if (product.trainsWeight()) {
        const kernels::View dBias =
            product.trainsBias() ? gradientSum(device, *product.weights.bias).view() : kernels::View{};
        kernels::linearBackwardWeight(device, {.dOut = dRows.view(),
                                               .x = x.rows(begin, end).view(),
                                               .dWeight = weight.gradient.view(),
                                               .dBias = dBias,
                                               .write = firstWrite(weight)});
    } else if (product.trainsBias()) {
        accumulateColumnSums(device, dRows, gradientSum(device, *product.weights.bias));
    }
    if (!dX.isPresent()) return;
    kernels::linearBackwardInput(
        device, {.dOut = dRows.view(), .weight = weight.value.view(), .dX = dX.rows(begin, end).view()});
}

}  // namespace

Var linear(const Context& context, const Var& x, Parameter& weight, Parameter* bias,
           std::span<LowRankDelta* const> deltas) {
    if (const LinearCall call{weight, bias, deltas};
        !context.adapterRows.empty() && !deltas.empty() && runsAsGroup(context, x, std::span(&call, 1))) {
        return std::move(linearGroup(context, x, std::span(&call, 1)).front());
    }
    const Layer layer{weight, bias, deltas};
    const Shape outShape{x.value.shape()[0], weight.value.shape()[0]};
    Tensor out = Tensor::empty(context.device, x.value.dtype(), outShape, MemoryOwner::Activations);
    std::vector<Product> products = multiply(context, layer, x.value, out);
    std::vector<AppliedDelta> applied = applyDeltas(context, layer, x.value, out);

    const bool trainsWeight = std::ranges::any_of(products, &Product::trainsWeight);
    const bool trainsMore =
        std::ranges::any_of(products, &Product::trainsBias) ||
        std::ranges::any_of(applied, [](const AppliedDelta& one) {
            return one.delta->isTrainable() || (one.weights.bias != nullptr && one.weights.bias->isTrainable());
        });
    if (context.tape == nullptr || !(x.needsGradient() || trainsWeight || trainsMore)) return {std::move(out)};

    // A frozen layer without adapters needs only its weight to pass the gradient on: its input is not kept.
    const SavedInput saved = trainsWeight || !applied.empty() ? SavedInput(x) : SavedInput{};
    return context.tape->record(std::move(out),
                                [saved, xShape = x.value.shape(), node = x.node, products = std::move(products),
                                 applied = std::move(applied)](Tape& tape, const Tensor& dOut) {
                                    const kernels::Context& ctx = tape.context();
                                    const Tensor input = saved.value(ctx);
                                    Tensor dX;
                                    if (node >= 0)
                                        dX = Tensor::empty(ctx, dOut.dtype(), xShape, MemoryOwner::Activations);
                                    for (const Product& product : products)
                                        backwardProduct(ctx, product, input, dOut, dX);
                                    for (const AppliedDelta& delta : applied)
                                        backwardDelta(ctx, delta, input, dOut, dX);
                                    tape.accumulate(node, std::move(dX));
                                });
}

}  // namespace wb::core
