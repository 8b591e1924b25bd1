// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>
#include <span>

namespace wb::kernels {

// Takes equally wide slots of columns out of a matrix (a part of a fused projection).
//   out[t, n, i] = x[t, starts[n] + i]
//   x [T, W] F32/BF16/F64; starts [N] on the host, each in [0, W - width]; out [T, N, width] dtype of x.
// Throws InvalidArgument on shapes, dtypes, or a slot outside the columns.
struct GatherColumnsArgs {
    ConstView x;
    std::span<const int32_t> starts;
    View out;
};
void gatherColumns(const Context& context, const GatherColumnsArgs& args);

// Its gradient: dX[t, starts[n] + i] += part[t, n, i], in the order of n; columns in no slot keep their values.
//   part [T, N, width]; dX [T, W] same dtype; must not alias.
struct ScatterAddColumnsArgs {
    ConstView part;
    std::span<const int32_t> starts;
    View dX;
};
void scatterAddColumns(const Context& context, const ScatterAddColumnsArgs& args);

}  // namespace wb::kernels
