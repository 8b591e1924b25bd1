// SPDX-License-Identifier: Apache-2.0
// Rows that go elsewhere and come back weighted: the way to the experts of a mixture and home again. Row t of T has k
// assignments t k .. t k + k - 1; `assignments` lists them in the order in which their copies lie, `slots` is its
// inverse: slots[assignments[p]] = p. With k = 1 both may be absent: every row stays where it is.
//
// A weight is F32 (F64 for F64) or has the dtype of the rows; its gradient has its dtype.
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels {

// out[p] = weights[a] * x[a / k] with a = assignments[p]: copies of rows, and the gradient of combineRows.
//   x [T, C] F32/BF16/F64; assignments [P] I32 in [0, T k), P = T without; weights [T, k] optional (1); out [P, C].
// k is the second axis of weights; without weights rowsPerSource says it. Throws InvalidArgument, on the CPU also for
// an assignment out of range.
struct GatherRowsArgs {
    ConstView x;
    ConstView assignments;
    ConstView weights;
    View out;
    int64_t rowsPerSource = 1;
};
void gatherRows(const Context& context, const GatherRowsArgs& args);

// out[t] = sum over j of weights[t, j] * rows[slots[t, j]], in the order of j, summed in F32: results coming back, and
// the gradient of gatherRows.
//   rows [P, C] F32/BF16/F64; slots [T, k] I32 in [0, P); weights [T, k] optional (1); out [T, C] dtype of rows.
struct CombineRowsArgs {
    ConstView rows;
    ConstView slots;
    ConstView weights;
    View out;
};
void combineRows(const Context& context, const CombineRowsArgs& args);

// dWeights[t, j] = dOut[t] . rows[slots[t, j]].
//   dOut [T, C]; rows [P, C] same dtype; slots [T, k], absent for k = 1, P = T; dWeights [T, k], overwritten.
struct CombineRowsBackwardWeightsArgs {
    ConstView dOut;
    ConstView rows;
    ConstView slots;
    View dWeights;
};
void combineRowsBackwardWeights(const Context& context, const CombineRowsBackwardWeightsArgs& args);

}  // namespace wb::kernels
