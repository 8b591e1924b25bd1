// SPDX-License-Identifier: Apache-2.0
// Several projections of the same few rows in one call, each with the low-rank updates of some of its rows: what a
// decoded token costs beyond reading weights is the calls and the threads woken for them.
#pragma once

#include "kernels/linear.h"

#include <span>

namespace wb::kernels {

// out[begin, end) += scale * (x[begin, end) A^T) B^T.
//   a [r, I]; b [O, r]; low [end - begin, r] receives x[begin, end) A^T. Dtype of x.
struct LinearDelta {
    int64_t begin = 0;
    int64_t end = 0;
    ConstView a;
    ConstView b;
    View low;
    float scale = 1.0F;
};

// out = alpha * x W^T + bias (+ out), shapes and dtypes as in LinearForwardArgs; then the deltas, in order.
struct LinearPart {
    ConstView weight;
    ConstView bias;
    View out;
    float alpha = 1.0F;
    Write write = Write::Replace;
    std::span<const LinearDelta> deltas{};
};

// The parts of x [T, I], T <= kIndependentRows. Every element has the bits that linearForward gives it for the part
// alone, and for each delta's two products after it. Throws InvalidArgument on shape or dtype mismatch and for more
// rows. Outputs must alias neither each other nor an input.
struct LinearGroupArgs {
    ConstView x;
    std::span<const LinearPart> parts;
};
void linearGroup(const Context& context, const LinearGroupArgs& args);

}  // namespace wb::kernels
