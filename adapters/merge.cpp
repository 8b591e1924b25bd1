// SPDX-License-Identifier: Apache-2.0
#include "adapters/merge.h"

#include "kernels/base/error.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

#include <fmt/format.h>

namespace wb::adapters {
namespace {

using core::Tensor;
using kernels::MemoryOwner;

void requireMergeable(LowRankAdapter& adapter) {
    core::LanguageModel& model = adapter.model();
    requireWholeWeights(model);
    for (const OwnWeight& weight : adapter.ownWeights()) {
        if (!model.isHeadTied() || weight.base != &model.embeddingTable()) continue;
        throw Error{
            ErrorCode::Unsupported,
            fmt::format("the adapter has {} of its own, which the model shares with its {}; merging would change "
                        "both; export as peft",
                        weight.isHead ? "a head" : "an embedding", weight.isHead ? "embedding" : "head")};
    }
    adapter.visitDeltas([](const core::LinearLayer& layer, const core::LowRankDelta& delta) {
        if (!delta.biasB.value.isPresent() || layer.bias) return;
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{} has no bias that the adapter's could be merged into (lora_bias); export as peft",
                                layer.name)};
    });
}

// target += scale B A
void addUpdate(const kernels::Context& context, const core::LowRankDelta& delta, const Tensor& target) {
    // The product of dX = alpha * dOut W with dOut = B [out, rank] and W = A [rank, in] is the update itself.
    kernels::linearBackwardInput(context, {.dOut = delta.b.value.view(),
                                           .weight = delta.a.value.view(),
                                           .dX = target.view(),
                                           .alpha = delta.scale,
                                           .write = kernels::Write::Add});
}

// Rounded once: the sum and its scaling are in the type of sums.
void mergeDecomposed(const kernels::Context& context, core::LowRankDelta& delta, const Tensor& weight) {
    core::refreshNorms(context, delta, weight);
    const Tensor sum =
        Tensor::empty(context, core::gradientDtype(weight.dtype()), weight.shape(), MemoryOwner::Workspace);
    kernels::scale(context, {.x = weight.view(), .out = sum.view()});
    addUpdate(context, delta, sum);
    const std::vector<float> magnitudes = core::toFloats(context, delta.magnitude.value);
    const std::vector<float> inverseNorms = core::toFloats(context, delta.inverseNorms);
    for (size_t o = 0; o < magnitudes.size(); ++o) {
        const auto row = static_cast<int64_t>(o);
        const kernels::View view = sum.rows(row, row + 1).view();
        kernels::scale(context, {.x = view, .out = view, .factor = magnitudes[o] * inverseNorms[o]});
    }
    if (sum.dtype() == weight.dtype()) {
        kernels::scale(context, {.x = sum.view(), .out = weight.view()});
    } else {
        kernels::cast(context, {.x = sum.view(), .out = weight.view()});
    }
}

}  // namespace

void requireWholeWeights(const core::LanguageModel& model) {
    if (!model.elementTypes().isQuantized()) return;
    throw Error{
        ErrorCode::Unsupported,
        "the weights in memory are rounded to blocks and can neither be merged with an adapter nor written to a "
        "file; load the model as f32 or bf16 for that, or export the adapter as peft"};
}

void mergeAdapter(const kernels::Context& context, LowRankAdapter& adapter) {
    requireMergeable(adapter);
    adapter.detach();
    // First the replaced weights: a bias of B joins the bias that holds under the adapter.
    for (const OwnWeight& weight : adapter.ownWeights())
        kernels::scale(context, {.x = weight.own->value.view(), .out = weight.base->value.view()});
    adapter.visitDeltas([&context](core::LinearLayer& layer, core::LowRankDelta& delta) {
        if (delta.hasMagnitude()) {
            mergeDecomposed(context, delta, layer.weight.value);
        } else {
            addUpdate(context, delta, layer.weight.value);
        }
        if (delta.biasB.value.isPresent()) {
            kernels::scale(context, {.x = delta.biasB.value.view(),
                                     .out = layer.bias->value.view(),
                                     .factor = delta.scale,
                                     .accumulates = true});
        }
    });
}

}  // namespace wb::adapters
