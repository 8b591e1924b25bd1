// SPDX-License-Identifier: Apache-2.0
// Sums in double over a block, for the few numbers that decide about a whole step.
#pragma once

#include "kernels/cuda/device.h"

namespace wb::kernels::cuda {

// Over a block of kThreads threads along x, a multiple of 32, in a fixed order; all get the result. scratch:
// kThreads / 32 doubles of shared memory. Every thread of the block must call, once per scratch.
template <int kThreads>
__device__ inline double blockSumOfDoubles(double x, double* scratch) {
    constexpr int kWarps = kThreads / kWarpSize;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    for (int step = kWarpSize / 2; step > 0; step /= 2) x += __shfl_xor_sync(kAllLanes, x, step);
    if (lane == 0) scratch[threadIdx.x / kWarpSize] = x;
    __syncthreads();
    double sum = lane < kWarps ? scratch[lane] : 0.0;
    for (int step = kWarpSize / 2; step > 0; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
    return sum;
}

}  // namespace wb::kernels::cuda
