// SPDX-License-Identifier: Apache-2.0
#include "kernels/lm_head_loss.h"

#include "core/autograd/ops.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

namespace wb::core {
namespace {

int64_t vocabularySizeOf(const LmHead& head) {
    return head.vocabularySize > 0 ? head.vocabularySize : head.weight.value.shape()[0];
}

// The rows of the vocabulary: what pads a table to a round size never counts.
Tensor vocabularyRows(const LmHead& head, const Tensor& table) {
    return table.isPresent() ? table.rows(0, vocabularySizeOf(head)) : Tensor{};
}

Tensor biasOf(const LmHead& head) {
    return head.bias != nullptr ? vocabularyRows(head, head.bias->value) : Tensor{};
}

Tensor biasGradientOf(const kernels::Context& device, const LmHead& head) {
    return head.bias != nullptr ? vocabularyRows(head, gradientSum(device, *head.bias)) : Tensor{};
}

}  // namespace

Tensor headLogits(const kernels::Context& context, const Tensor& hidden, const LmHead& head) {
    const Shape shape{hidden.shape()[0], vocabularySizeOf(head)};
    Tensor logits = Tensor::empty(context, gradientDtype(hidden.dtype()), shape, kernels::MemoryOwner::Activations);
    kernels::linearForward(context, {.x = hidden.view(),
                                     .weight = vocabularyRows(head, head.weight.value).view(),
                                     .bias = biasOf(head).view(),
                                     .out = logits.view(),
                                     .alpha = head.logitScale,
                                     .write = kernels::Write::Replace,
                                     .workspace = {}});
    if (head.softCap > 0) {
        kernels::softCap(context, {.x = logits.view(), .out = logits.view(), .cap = head.softCap});
    }
    return logits;
}

LmLoss lmHeadLoss(const Context& context, const Var& hidden, const LmHead& head, const Tensor& labels,
                  float gradScale) {
    const kernels::Context& device = context.device;
    const auto owner = kernels::MemoryOwner::Activations;
    const Shape perToken{labels.count()};
    Tensor losses = Tensor::empty(device, gradientDtype(hidden.value.dtype()), perToken, owner);
    Tensor predictions = Tensor::empty(device, DType::I32, perToken, owner);
    const bool trainsBias = head.bias != nullptr && head.bias->isTrainable();
    const bool records = context.tape != nullptr && (hidden.needsGradient() || head.weight.isTrainable() || trainsBias);
    Tensor dHidden;
    if (records && hidden.needsGradient()) {
        dHidden = Tensor::empty(device, hidden.value.dtype(), hidden.value.shape(), owner);
    }
    const Tensor dWeight = records ? vocabularyRows(head, head.weight.gradient) : Tensor{};
    const Tensor dBias = records ? biasGradientOf(device, head) : Tensor{};
    kernels::lmHeadLoss(device,
                        {.hidden = hidden.value.view(),
                         .weight = vocabularyRows(head, head.weight.value).view(),
                         .bias = biasOf(head).view(),
                         .labels = labels.view(),
                         .losses = losses.view(),
                         .predictions = predictions.view(),
                         .dHidden = dHidden.view(),
                         .dWeight = dWeight.view(),
                         .dBias = dBias.view(),
                         .gradScale = gradScale,
                         .logitScale = head.logitScale,
                         .softCap = head.softCap,
                         .vocabularySize = 0,
                         .maxLogitBytes = 0,
                         // Rows behind the vocabulary keep the zeros they were made with: no token leads to them.
                         .weightWrite = dWeight.isPresent() ? firstWrite(head.weight) : kernels::Write::Add,
                         .workspace = {}});
    if (!records) return {{std::move(losses)}, std::move(predictions)};
    // The kernel has already made the gradients; the node only hands dHidden on.
    Var root = context.tape->record(std::move(losses), [node = hidden.node, dHidden](Tape& tape, const Tensor&) {
        tape.accumulate(node, dHidden);
    });
    return {std::move(root), std::move(predictions)};
}

}  // namespace wb::core
