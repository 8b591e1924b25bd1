// SPDX-License-Identifier: Apache-2.0
// The choice of a mixture of experts (Shazeer et al. 2017, arXiv:1701.06538; Fedus et al. 2021, arXiv:2101.03961).
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

enum class RoutingWeights {
    Softmax,    // the probabilities of the chosen experts as they are
    Normalised  // divided by their sum: a softmax over the chosen experts alone
};

// Picks the k experts with the highest logits for every row, highest first; among equals the lowest number wins.
//   p = softmax(logits[t]);  weights[t, j] = p[ids[t, j]], divided by their sum over j if Normalised
//   logits [T, E] F32/BF16/F64; weights [T, k] F32 (F64 for F64), 1 <= k <= E; ids [T, k] I32.
// A NaN among the logits gives valid ids and NaN weights.
struct RouteExpertsForwardArgs {
    ConstView logits;
    View weights;
    View ids;
    RoutingWeights normalisation = RoutingWeights::Softmax;
};
void routeExpertsForward(const Context& context, const RouteExpertsForwardArgs& args);

// With g[e] = dWeights[t, j] for the chosen e = ids[t, j], else 0:
//   Softmax:     dLogits[e] = p[e] (g[e] - sum_j g_j p_j)
//   Normalised:  dLogits[e] = w_j (g_j - sum_i g_i w_i) for the chosen, 0 for others
//   dWeights [T, k] F32/F64; ids as the forward left them; dLogits [T, E] dtype of logits, overwritten.
struct RouteExpertsBackwardArgs {
    ConstView dWeights;
    ConstView logits;
    ConstView ids;
    View dLogits;
    RoutingWeights normalisation = RoutingWeights::Softmax;
};
void routeExpertsBackward(const Context& context, const RouteExpertsBackwardArgs& args);

}  // namespace wb::kernels
