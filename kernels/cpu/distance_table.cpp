// SPDX-License-Identifier: Apache-2.0
// table[h, n] = weight[bucket[n], h];  dWeight[bucket[n], h] += dTable[h, n].  A few thousand values a step: plain
// loops are enough, and they are their own oracle.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu {

using reference::narrow;
using reference::Sum;
using reference::widen;
using reference::withStorage;

void distanceTableForward(const Context& /*context*/, const DistanceTableForwardArgs& args) {
    const int64_t heads = args.table.shape[0];
    const int64_t distances = args.table.shape[1];
    withStorage(args.weight.dtype, [&]<class T>() {
        for (int64_t h = 0; h < heads; ++h) {
            for (int64_t n = 0; n < distances; ++n) {
                const T value = args.weight.as<T>()[args.bucketOfDistance[static_cast<size_t>(n)] * heads + h];
                args.table.as<Sum<T>>()[h * distances + n] = narrow<Sum<T>>(widen(value));
            }
        }
    });
}

void distanceTableBackward(const Context& /*context*/, const DistanceTableBackwardArgs& args) {
    const int64_t heads = args.dTable.shape[0];
    const int64_t distances = args.dTable.shape[1];
    withStorage(args.dWeight.dtype, [&]<class T>() {
        for (int64_t n = 0; n < distances; ++n) {
            T* dRow = args.dWeight.as<T>() + args.bucketOfDistance[static_cast<size_t>(n)] * heads;
            for (int64_t h = 0; h < heads; ++h) {
                dRow[h] = narrow<T>(widen(dRow[h]) + widen(args.dTable.as<T>()[h * distances + n]));
            }
        }
    });
}

}  // namespace wb::kernels::cpu
