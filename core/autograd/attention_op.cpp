// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include "core/autograd/ops.h"

namespace wb::core {

using kernels::MemoryOwner;

Var attention(const Context& context, const Var& q, const Var& k, const Var& v, const SequenceBounds& boundsQ,
              const SequenceBounds& boundsK, const kernels::AttentionOptions& options) {
    const bool records = context.tape != nullptr && (q.needsGradient() || k.needsGradient() || v.needsGradient());
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
                                               .bias = {},
                                               .cuSeqlensQ = *boundsQ,
                                               .cuSeqlensK = *boundsK,
                                               .out = out.view(),
                                               .logSumExp = logSumExp.view(),
                                               .options = options,
                                               .workspace = {}});
    if (!records) return {std::move(out)};
    return context.tape->record(
        out, [q, k, v, out, logSumExp, boundsQ, boundsK, options](Tape& tape, const Tensor& dOut) {
            const auto gradientLike = [&tape](const Var& x) {
                return Tensor::empty(tape.context(), x.value.dtype(), x.value.shape(), MemoryOwner::Activations);
            };
            const Tensor dQ = gradientLike(q);
            const Tensor dK = gradientLike(k);
            const Tensor dV = gradientLike(v);
            kernels::attentionBackward(tape.context(), {.q = q.value.view(),
                                                        .k = k.value.view(),
                                                        .v = v.value.view(),
                                                        .bias = {},
                                                        .out = out.view(),
                                                        .logSumExp = logSumExp.view(),
                                                        .dOut = dOut.view(),
                                                        .cuSeqlensQ = *boundsQ,
                                                        .cuSeqlensK = *boundsK,
                                                        .dQ = dQ.view(),
                                                        .dK = dK.view(),
                                                        .dV = dV.view(),
                                                        .dBias = {},
                                                        .options = options,
                                                        .workspace = {}});
            tape.accumulate(q.node, dQ);
            tape.accumulate(k.node, dK);
            tape.accumulate(v.node, dV);
        });
}

}  // namespace wb::core
