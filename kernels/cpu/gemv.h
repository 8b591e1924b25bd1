// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with a weight matrix: decoding, where reading the weight once is all that counts.
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels::cpu {

// out = alpha * x W^T + bias (+ out), arguments as in LinearForwardArgs.
struct GemvProblem {
    ConstView x;
    ConstView weight;
    ConstView bias;
    View out;
    float alpha = 1.0F;
    bool accumulates = false;
};

// Every element is one dot product with one order of summation. A row's result therefore depends neither on the rows
// that share the call nor on the number of threads: batched decoding gives what single decoding gives.
void gemv(const Context& context, const GemvProblem& problem);

}  // namespace wb::kernels::cpu
