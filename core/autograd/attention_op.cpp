// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include "core/autograd/ops.h"
#include "core/autograd/shared_gradient.h"

namespace wb::core {
namespace {

using kernels::MemoryOwner;

// What the node of an attention keeps.
struct SavedAttention {
    Var q;
    Var k;
    Var v;
    Var bias;  // absent value: none
    Tensor out;
    Tensor logSumExp;
    SequenceBounds boundsQ;
    SequenceBounds boundsK;
    kernels::AttentionOptions options;
};

Tensor gradientLike(const Tape& tape, const Var& x) {
    if (!x.needsGradient()) return {};
    return Tensor::empty(tape.context(), x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
}

void backwardAttention(Tape& tape, const SavedAttention& saved, const Tensor& dOut) {
    const Tensor dQ = gradientLike(tape, saved.q);
    const Tensor dK = gradientLike(tape, saved.k);
    const Tensor dV = gradientLike(tape, saved.v);
    // Many layers may share one table: each adds to what the others left.
    Tensor dBias;
    if (saved.bias.needsGradient()) {
        dBias = takeWritableGradient(tape, saved.bias.node, gradientDtype(dOut.dtype()), saved.bias.value.shape());
    }
    kernels::attentionBackward(tape.context(), {.q = saved.q.value.view(),
                                                .k = saved.k.value.view(),
                                                .v = saved.v.value.view(),
                                                .bias = saved.bias.value.view(),
                                                .out = saved.out.view(),
                                                .logSumExp = saved.logSumExp.view(),
                                                .dOut = dOut.view(),
                                                .cuSeqlensQ = *saved.boundsQ,
                                                .cuSeqlensK = *saved.boundsK,
                                                .dQ = dQ.view(),
                                                .dK = dK.view(),
                                                .dV = dV.view(),
                                                .dBias = dBias.view(),
                                                .options = saved.options,
                                                .workspace = {}});
    tape.accumulate(saved.q.node, dQ);
    tape.accumulate(saved.k.node, dK);
    tape.accumulate(saved.v.node, dV);
    tape.accumulate(saved.bias.node, std::move(dBias));
}

}  // namespace

Var attention(const Context& context, const Var& q, const Var& k, const Var& v, const SequenceBounds& boundsQ,
              const SequenceBounds& boundsK, const kernels::AttentionOptions& options, const Var* bias) {
    const Var usedBias = bias != nullptr ? *bias : Var{};
    const bool records = context.tape != nullptr &&
                         (q.needsGradient() || k.needsGradient() || v.needsGradient() || usedBias.needsGradient());
    const Shape& shape = q.value.shape();
    Tensor out = Tensor::empty(context.device, q.value.dtype(), shape, MemoryOwner::Activations);
    Tensor logSumExp;
    if (records) {
        logSumExp = Tensor::empty(context.device, gradientDtype(q.value.dtype()), Shape{shape[0], shape[1]},
                                  MemoryOwner::Activations);
    }
    kernels::attentionForward(context.device, {.q = q.value.view(),
                                               .k = k.value.view(),
                                               .v = v.value.view(),
                                               .bias = usedBias.value.view(),
                                               .cuSeqlensQ = *boundsQ,
                                               .cuSeqlensK = *boundsK,
                                               .out = out.view(),
                                               .logSumExp = logSumExp.view(),
                                               .options = options,
                                               .workspace = {}});
    if (!records) return {std::move(out)};
    SavedAttention saved{q, k, v, usedBias, out, logSumExp, boundsQ, boundsK, options};
    return context.tape->record(std::move(out), [saved = std::move(saved)](Tape& tape, const Tensor& dOut) {
        backwardAttention(tape, saved, dOut);
    });
}

}  // namespace wb::core
