// SPDX-License-Identifier: Apache-2.0
#include "kernels/lm_head_loss.h"

#include "core/autograd/ops.h"

namespace wb::core {

LmLoss lmHeadLoss(const Context& context, const Var& hidden, Parameter& weight, const Tensor& labels, float gradScale,
                  int64_t vocabularySize) {
    const kernels::Context& device = context.device;
    const auto owner = kernels::MemoryOwner::Activations;
    const Shape perToken{labels.count()};
    Tensor losses = Tensor::empty(device, gradientDtype(hidden.value.dtype()), perToken, owner);
    Tensor predictions = Tensor::empty(device, DType::I32, perToken, owner);
    const bool records = context.tape != nullptr && (hidden.needsGradient() || weight.isTrainable());
    Tensor dHidden;
    if (records && hidden.needsGradient()) {
        dHidden = Tensor::empty(device, hidden.value.dtype(), hidden.value.shape(), owner);
    }
    kernels::lmHeadLoss(device, {.hidden = hidden.value.view(),
                                 .weight = weight.value.view(),
                                 .labels = labels.view(),
                                 .losses = losses.view(),
                                 .predictions = predictions.view(),
                                 .dHidden = dHidden.view(),
                                 .dWeight = records ? weight.gradient.view() : kernels::View{},
                                 .gradScale = gradScale,
                                 .vocabularySize = vocabularySize,
                                 .maxLogitBytes = 0,
                                 .workspace = {}});
    if (!records) return {{std::move(losses)}, std::move(predictions)};
    // The kernel has already made the gradients; the node only hands dHidden on.
    Var root = context.tape->record(std::move(losses), [node = hidden.node, dHidden](Tape& tape, const Tensor&) {
        tape.accumulate(node, dHidden);
    });
    return {std::move(root), std::move(predictions)};
}

}  // namespace wb::core
