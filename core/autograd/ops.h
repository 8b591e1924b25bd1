// SPDX-License-Identifier: Apache-2.0
// The differentiable ops that models are written with. Each runs its kernel and, if a tape is there and an input or a
// weight needs a gradient, records one node. Shapes: T tokens of the packed batch, C hidden, H heads, K kv heads,
// D head dim, F ffn, V vocabulary. Errors are those of the kernels.
#pragma once

#include "core/autograd/context.h"
#include "core/autograd/parameter.h"
#include "kernels/attention.h"
#include "kernels/base/activation.h"
#include "kernels/expert_routing.h"
#include "kernels/rotary.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace wb::core {

// Host-side sequence bounds, shared by the nodes that need them in backward.
using SequenceBounds = std::shared_ptr<const std::vector<int32_t>>;

// table [V, C] of `dtype` or in tiles, ids [T] I32 -> scale * table[ids] [T, C] of `dtype`.
Var embedding(const Context& context, Parameter& table, const Tensor& ids, DType dtype, float scale = 1.0F);

// x [T, I] -> x W^T + bias [T, O], plus for each AdapterRows of the context the delta of that adapter.
// `deltas` is indexed by adapter; a null entry leaves the layer as it is.
Var linear(const Context& context, const Var& x, Parameter& weight, Parameter* bias,
           std::span<LowRankDelta* const> deltas = {});

// One projection of a group.
struct LinearCall {
    Parameter& weight;
    Parameter* bias = nullptr;
    std::span<LowRankDelta* const> deltas{};
};
// linear(x) for each call; in one kernel where runsAsGroup, with the same bits.
std::vector<Var> linearGroup(const Context& context, const Var& x, std::span<const LinearCall> calls);
// True for few rows of inference with plain weights and plain low-rank updates: decoding.
bool runsAsGroup(const Context& context, const Var& x, std::span<const LinearCall> calls);

// x [T, C] -> normalised [T, C]; the factor of a column is weight + weightOffset.
Var rmsNorm(const Context& context, const Var& x, Parameter& weight, float eps, float weightOffset = 0.0F);

struct NormedSum {
    Var normed;
    Var sum;  // x + residual, the input of the next residual connection
};
NormedSum addRmsNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, float eps,
                     float weightOffset = 0.0F);

// x [T, C] -> normalised [T, C]; weight [C], bias [C] or null.
Var layerNorm(const Context& context, const Var& x, Parameter& weight, Parameter* bias, float eps);
NormedSum addLayerNorm(const Context& context, const Var& x, const Var& residual, Parameter& weight, Parameter* bias,
                       float eps);

// x [T, H, D], positions [T] I32, frequencies [R/2] F32 -> same shape.
Var rotary(const Context& context, const Var& x, const Tensor& positions, const Tensor& frequencies,
           kernels::RotaryLayout layout, float magnitude);

// q [Tq, H, D], k, v [Tk, K, D] -> [Tq, H, D]. `bias`: the table, slopes or matrix that options.bias names (shapes in
// kernels/attention.h), null for none. Its gradient is F32 (F64 for F64), so a bias that needs one has that type.
Var attention(const Context& context, const Var& q, const Var& k, const Var& v, const SequenceBounds& boundsQ,
              const SequenceBounds& boundsK, const kernels::AttentionOptions& options, const Var* bias = nullptr);

// Bias table of relative positions: weight [buckets, H], bucketOfDistance [N] -> [H, N] F32 (F64 for F64),
// table[h, n] = weight[bucketOfDistance[n], h]; n = j - p + N/2 as attention reads it.
Var distanceTable(const Context& context, Parameter& weight,
                  std::shared_ptr<const std::vector<int32_t>> bucketOfDistance);

// gate, up [T, F] -> act(gate) * up.
Var gatedActivation(const Context& context, const Var& gate, const Var& up, kernels::Activation activation);

// act(x), any shape.
Var activation(const Context& context, const Var& x, kernels::Activation activation);

Var add(const Context& context, const Var& a, const Var& b);

// factor * x.
Var scale(const Context& context, const Var& x, float factor);

// Same storage, other shape.
Var reshape(const Context& context, const Var& x, const Shape& shape);

// A part of the columns of a fused projection: slot n of the part is columns [starts[n], starts[n] + width).
struct ColumnPart {
    std::vector<int32_t> starts;
    int64_t width = 0;
};
using ColumnParts = std::shared_ptr<const std::vector<ColumnPart>>;
// x [T, W] -> for each part [T, N, width]. Columns that no part names get gradient 0.
std::vector<Var> splitColumns(const Context& context, const Var& x, const ColumnParts& parts);

// Rows [bounds[i], bounds[i + 1]) of x as one Var each, same storage; bounds run from 0 to all rows. Empty ranges are
// legal.
std::vector<Var> splitRows(const Context& context, const Var& x, const std::vector<int64_t>& bounds);
// The parts [.., C] one below the other. At least one part.
Var concatRows(const Context& context, const std::vector<Var>& parts);

// out[t] = factors[t] * x[t].  x [T, C]; factors [T, 1] dtype of x.
Var scaleRows(const Context& context, const Var& x, const Var& factors);

// Where the rows of a batch go: row t to its j-th expert as assignment t k + j.
struct ExpertRouting {
    Var weights;                        // [T, k] F32 (F64 for F64)
    Tensor assignments;                 // [T k] I32, sorted by expert, then by row
    Tensor slots;                       // [T, k] I32, the inverse: where assignment t k + j lies in the list
    std::vector<int64_t> expertBounds;  // [E + 1]: expert e has entries [bounds[e], bounds[e + 1]) of the list
    std::vector<int32_t> sourceRows;    // [T k] on the host: row t of each entry of the list
};
// logits [T, E] -> the k experts of each row (kernels/expert_routing.h). The choice has no gradient, the weights have.
// On the plan device rows are dealt evenly: the sum over experts, which is what memory holds, is that of any routing.
ExpertRouting routeExperts(const Context& context, const Var& logits, int64_t expertsPerRow,
                           kernels::RoutingWeights normalisation);
// x [T, C] -> a copy of each row for each of its experts, in the order of the routing's list [T k, C].
Var gatherRows(const Context& context, const Var& x, const ExpertRouting& routing);
// rows [T k, C] in the order of the list -> sum over its experts of weight * row [T, C].
Var combineRows(const Context& context, const Var& rows, const ExpertRouting& routing);

// The output layer of a language model: logits z = softCap(logitScale * (hidden W^T) + bias), no cap when softCap is 0.
//   weight [V, C], bias [V] or null; only the first vocabularySize rows count (0: all V).
struct LmHead {
    Parameter& weight;
    Parameter* bias = nullptr;
    int64_t vocabularySize = 0;
    float logitScale = 1.0F;
    float softCap = 0.0F;
};
// The logits of the formula above for inference: hidden [n, C] -> [n, vocabularySize] F32 (F64 for F64).
Tensor headLogits(const kernels::Context& context, const Tensor& hidden, const LmHead& head);

struct LmLoss {
    Var losses;  // [T] F32 (F64): per token, 0 where ignored. Only legal as the root of backward, with a seed of ones.
    Tensor predictions;  // [T] I32: most likely id where labelled, -1 elsewhere
};
// Head and cross-entropy; gradScale multiplies all gradients (1 / label tokens of the step).
LmLoss lmHeadLoss(const Context& context, const Var& hidden, const LmHead& head, const Tensor& labels, float gradScale);

// Runs `body` on `input` without recording and again in backward: activations of the body are not kept.
// Dropout draws are the same both times, and so are the bits of all gradients. What the body uses besides its input
// must not need a gradient; whatever does is passed in by the form with several inputs (encoder output, a bias table).
Var checkpoint(const Context& context, const Var& input, std::function<Var(const Context&, const Var&)> body);
Var checkpoint(const Context& context, std::vector<Var> inputs,
               std::function<Var(const Context&, std::span<const Var>)> body);

}  // namespace wb::core
