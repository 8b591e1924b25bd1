// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with weight matrices: decoding, where reading each weight once is all that counts.
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>
#include <span>

namespace wb::kernels::cpu {

// out[begin, end) += scale * (x[begin, end) A^T) B^T.   a [r, I]; b [O, r]; low [end - begin, r] is written on the way.
struct GemvDelta {
    int64_t begin = 0;
    int64_t end = 0;
    ConstView a;
    ConstView b;
    View low;
    float scale = 1.0F;
};

// out = alpha * x W^T + bias (+ out), arguments as in LinearForwardArgs; then the deltas.
struct GemvPart {
    ConstView weight;
    ConstView bias;
    View out;
    float alpha = 1.0F;
    bool accumulates = false;
    std::span<const GemvDelta> deltas{};
};

// All products in one parallel region. Every element is one dot product with one order of summation. A row's result
// therefore depends neither on the rows that share the call, nor on the parts beside it, nor on the number of threads:
// batched decoding gives what single decoding gives.
void gemv(const Context& context, const ConstView& x, std::span<const GemvPart> parts);

}  // namespace wb::kernels::cpu
