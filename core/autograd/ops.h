// SPDX-License-Identifier: Apache-2.0
// The differentiable ops that models are written with. Each runs its kernel and, if a tape is there and an input or a
// weight needs a gradient, records one node. Shapes: T tokens of the packed batch, C hidden, H heads, K kv heads,
// D head dim, F ffn, V vocabulary. Errors are those of the kernels.
#pragma once

#include "core/autograd/context.h"
#include "core/autograd/parameter.h"
#include "kernels/attention.h"
#include "kernels/gated_activation.h"
#include "kernels/rotary.h"

#include <memory>
#include <span>
#include <vector>

namespace wb::core {

// Host-side sequence bounds, shared by the nodes that need them in backward.
using SequenceBounds = std::shared_ptr<const std::vector<int32_t>>;

// table [V, C], ids [T] I32 -> [T, C].
Var embedding(const Context& context, Parameter& table, const Tensor& ids);

// x [T, I] -> x W^T + bias [T, O], plus for each AdapterRows of the context the delta of that adapter.
// `deltas` is indexed by adapter; a null entry leaves the layer as it is.
Var linear(const Context& context, const Var& x, Parameter& weight, Parameter* bias,
           std::span<LowRankDelta* const> deltas = {});

// x [T, C] -> normalised [T, C].
Var rmsNorm(const Context& context, const Var& x, Parameter& weight, float eps);

struct NormedSum {
    Var normed;
    Var sum;  // x + residual, the input of the next residual connection
};
NormedSum addRmsNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, float eps);

// x [T, H, D], positions [T] I32, frequencies [R/2] F32 -> same shape.
Var rotary(const Context& context, const Var& x, const Tensor& positions, const Tensor& frequencies,
           kernels::RotaryLayout layout, float magnitude);

// q [Tq, H, D], k, v [Tk, K, D] -> [Tq, H, D].
Var attention(const Context& context, const Var& q, const Var& k, const Var& v, const SequenceBounds& boundsQ,
              const SequenceBounds& boundsK, const kernels::AttentionOptions& options);

// gate, up [T, F] -> act(gate) * up.
Var gatedActivation(const Context& context, const Var& gate, const Var& up, kernels::Activation activation);

Var add(const Context& context, const Var& a, const Var& b);

// Same storage, other shape.
Var reshape(const Context& context, const Var& x, const Shape& shape);

struct LmLoss {
    Var losses;  // [T] F32 (F64): per token, 0 where ignored. Only legal as the root of backward, with a seed of ones.
    Tensor predictions;  // [T] I32: most likely id where labelled, -1 elsewhere
};
// Head and cross-entropy; gradScale multiplies all gradients (1 / label tokens of the step).
LmLoss lmHeadLoss(const Context& context, const Var& hidden, Parameter& weight, const Tensor& labels, float gradScale,
                  int64_t vocabularySize);

// Runs `body` on `inputs` without recording and again in backward: activations of the body are not kept. Gradients flow
// to the inputs only, so the body must reach no other variable. Dropout draws are the same both times.
using CheckpointBody = std::function<Var(const Context&, std::span<const Var>)>;
Var checkpoint(const Context& context, std::vector<Var> inputs, CheckpointBody body);

}  // namespace wb::core
