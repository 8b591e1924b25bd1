// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>
#include <span>

namespace wb::kernels {

// Spreads learned bucket weights over distances: the bias table of attention with relative positions (Raffel et al.
// 2020, arXiv:1910.10683).
//   table[h, n] = weight[bucketOfDistance[n], h]
//   weight [buckets, H] F32/BF16/F64; bucketOfDistance [N] on the host, each in [0, buckets); table [H, N] F32 (F64 for
//   F64), laid out as attention reads it: n = j - p + N/2. Throws InvalidArgument, also for a bucket outside weight.
struct DistanceTableForwardArgs {
    ConstView weight;
    std::span<const int32_t> bucketOfDistance;
    View table;
};
void distanceTableForward(const Context& context, const DistanceTableForwardArgs& args);

// dWeight[bucketOfDistance[n], h] += dTable[h, n], in a fixed order.
//   dTable [H, N] F32/F64; dWeight [buckets, H] same dtype.
struct DistanceTableBackwardArgs {
    ConstView dTable;
    std::span<const int32_t> bucketOfDistance;
    View dWeight;
};
void distanceTableBackward(const Context& context, const DistanceTableBackwardArgs& args);

}  // namespace wb::kernels
