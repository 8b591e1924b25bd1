// SPDX-License-Identifier: Apache-2.0
// table[h, n] = weight[bucketOfDistance[n], h];  dWeight[bucketOfDistance[n], h] += dTable[h, n]
// Backward gives a warp to each weight: it looks at all N distances, which lie in the cache, in a fixed order.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kWarps = 8;

template <class T>
struct Spread {
    const T* weight;
    const int32_t* buckets;
    float* table;
    int64_t heads;
    int64_t distances;

    template <int N>
    __device__ void at(int64_t head, int n) const {
        static_assert(N == 1);
        table[head * distances + n] = toFloat(weight[buckets[n] * heads + head]);
    }
};

__global__ void __launch_bounds__(kWarps* kWarpSize)
    bucketSumsKernel(const float* dTable, const int32_t* buckets, int64_t distances, int64_t numBuckets, int64_t heads,
                     float* dWeight) {
    const int64_t weight = int64_t{blockIdx.x} * kWarps + threadIdx.y;  // of [buckets, heads]
    if (weight >= numBuckets * heads) return;
    const int64_t head = weight % heads;
    const int64_t bucket = weight / heads;
    float sum = 0;
    for (int64_t n = threadIdx.x; n < distances; n += kWarpSize) {
        if (buckets[n] == bucket) sum += dTable[head * distances + n];
    }
    sum = warpSum(sum);
    if (threadIdx.x == 0) dWeight[weight] += sum;
}

}  // namespace

void distanceTableForward(const Context& context, const DistanceTableForwardArgs& args) {
    const int32_t* buckets = streamOf(context).upload(args.bucketOfDistance);
    withType("distance_table_forward", args.weight.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const Spread<T> op{args.weight.as<T>(), buckets, args.table.as<float>(), args.table.shape[0],
                           args.table.shape[1]};
        forRowPacks<1>(context, op.heads, op.distances, false, op);
    });
}

void distanceTableBackward(const Context& context, const DistanceTableBackwardArgs& args) {
    if (args.dTable.dtype != DType::F32) failDtype("distance_table_backward", args.dTable.dtype);
    const int32_t* buckets = streamOf(context).upload(args.bucketOfDistance);
    const int64_t numBuckets = args.dWeight.shape[0];
    const int64_t heads = args.dWeight.shape[1];
    launch(streamOf(context), {blocksFor(numBuckets * heads, kWarps), dim3(kWarpSize, kWarps)}, bucketSumsKernel,
           args.dTable.as<float>(), buckets, args.dTable.shape[1], numBuckets, heads, args.dWeight.as<float>());
}

}  // namespace wb::kernels::cuda
