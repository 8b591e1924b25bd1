// SPDX-License-Identifier: Apache-2.0
// p = softmax(logits);  weights = p of the k highest, perhaps divided by their sum
// Softmax:     dLogits[e] = p[e] (g[e] - sum_j g_j p_j)
// Normalised:  dLogits[e] = w_j (g_j - sum_i g_i w_i) for the chosen, 0 for others
// A warp for each row: a few dozen logits next to matrix products of thousands of columns.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kWarps = 8;

struct Candidate {
    float logit;
    int expert;
};

// A NaN counts as the lowest of all: the choice stays valid, and the softmax shows it.
template <class T>
__device__ inline float rankedLogit(T logit) {
    const float x = toFloat(logit);
    return x == x ? x : -INFINITY;
}

__device__ inline bool comesBefore(const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.expert < b.expert);
}

// The first of the experts that come after `last`, over the warp.
template <class T>
__device__ inline Candidate nextBest(const T* logits, int experts, const Candidate& last) {
    Candidate best{-INFINITY, experts};
    for (int e = static_cast<int>(threadIdx.x); e < experts; e += kWarpSize) {
        const Candidate candidate{rankedLogit(logits[e]), e};
        if (comesBefore(last, candidate) && comesBefore(candidate, best)) best = candidate;
    }
    for (int step = kWarpSize / 2; step > 0; step /= 2) {
        const Candidate other{__shfl_xor_sync(kAllLanes, best.logit, step),
                              __shfl_xor_sync(kAllLanes, best.expert, step)};
        if (comesBefore(other, best)) best = other;
    }
    return best;
}

// Softmax of a row over the experts, or over those of `ids` alone. Over the warp.
struct RowSoftmax {
    float highest = -INFINITY;
    float sum = 0;

    template <class T>
    __device__ RowSoftmax(const T* logits, int experts, const int32_t* ids, int chosen, bool isOfChosen) {
        const int count = isOfChosen ? chosen : experts;
        const auto at = [&](int i) { return toFloat(logits[isOfChosen ? ids[i] : i]); };
        for (int i = static_cast<int>(threadIdx.x); i < count; i += kWarpSize) highest = fmaxf(highest, at(i));
        highest = warpMax(highest);
        for (int i = static_cast<int>(threadIdx.x); i < count; i += kWarpSize) sum += expf(at(i) - highest);
        sum = warpSum(sum);
    }
    template <class T>
    __device__ float operator()(T logit) const {
        return expf(toFloat(logit) - highest) / sum;
    }
};

template <class T>
__global__ void __launch_bounds__(kWarps* kWarpSize)
    chooseKernel(const T* allLogits, int64_t rows, int experts, int chosen, bool isOfChosen, float* allWeights,
                 int32_t* allIds) {
    const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.y;
    if (row >= rows) return;
    const T* logits = allLogits + row * experts;
    int32_t* ids = allIds + row * chosen;
    Candidate last{INFINITY, -1};
    for (int j = 0; j < chosen; ++j) {
        last = nextBest(logits, experts, last);
        if (threadIdx.x == 0) ids[j] = last.expert;
    }
    __syncwarp();
    const RowSoftmax softmax(logits, experts, ids, chosen, isOfChosen);
    for (int j = static_cast<int>(threadIdx.x); j < chosen; j += kWarpSize) {
        allWeights[row * chosen + j] = softmax(logits[ids[j]]);
    }
}

template <class T>
__global__ void __launch_bounds__(kWarps* kWarpSize)
    chooseBackwardKernel(const float* allGradients, const T* allLogits, const int32_t* allIds, int64_t rows,
                         int experts, int chosen, bool isOfChosen, T* dLogits) {
    const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.y;
    if (row >= rows) return;
    const T* logits = allLogits + row * experts;
    const int32_t* ids = allIds + row * chosen;
    const float* gradients = allGradients + row * chosen;
    const RowSoftmax softmax(logits, experts, ids, chosen, isOfChosen);
    float projection = 0;
    for (int j = static_cast<int>(threadIdx.x); j < chosen; j += kWarpSize) {
        projection += gradients[j] * softmax(logits[ids[j]]);
    }
    projection = warpSum(projection);
    for (int e = static_cast<int>(threadIdx.x); e < experts; e += kWarpSize) {
        float gradient = 0;
        bool isReached = !isOfChosen;
        for (int j = 0; j < chosen; ++j) {
            if (ids[j] != e) continue;
            gradient = gradients[j];
            isReached = true;
        }
        dLogits[row * experts + e] = fromFloat<T>(isReached ? softmax(logits[e]) * (gradient - projection) : 0.0F);
    }
}

}  // namespace

void routeExpertsForward(const Context& context, const RouteExpertsForwardArgs& args) {
    withType("route_experts_forward", args.logits.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t rows = args.logits.shape[0];
        launch(streamOf(context), {blocksFor(rows, kWarps), dim3(kWarpSize, kWarps)}, chooseKernel<T>,
               args.logits.as<T>(), rows, static_cast<int>(args.logits.shape[1]),
               static_cast<int>(args.weights.shape[1]), args.normalisation == RoutingWeights::Normalised,
               args.weights.as<float>(), args.ids.as<int32_t>());
    });
}

void routeExpertsBackward(const Context& context, const RouteExpertsBackwardArgs& args) {
    withType("route_experts_backward", args.logits.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t rows = args.logits.shape[0];
        launch(streamOf(context), {blocksFor(rows, kWarps), dim3(kWarpSize, kWarps)}, chooseBackwardKernel<T>,
               args.dWeights.as<float>(), args.logits.as<T>(), args.ids.as<int32_t>(), rows,
               static_cast<int>(args.logits.shape[1]), static_cast<int>(args.dWeights.shape[1]),
               args.normalisation == RoutingWeights::Normalised, args.dLogits.as<T>());
    });
}

}  // namespace wb::kernels::cuda
