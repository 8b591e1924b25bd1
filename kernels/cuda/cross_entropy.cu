// SPDX-License-Identifier: Apache-2.0
// z = cap tanh((x + bias) / cap), or x + bias;  loss = logsumexp(z) - z[label]
// d = gradScale (softmax(z) - onehot(label)) (1 - (z / cap)^2)
// A block makes a row. One sweep finds the highest logit and the sum of exponentials: a thread rescales its sum when it
// meets a higher one, and the threads' results are merged in a fixed tree. A second sweep, which finds a part of the
// row still in the cache, makes the gradient in place.
#include "kernels/cuda/cross_entropy.h"

#include "kernels/cuda/device.h"

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kRun = 8;  // neighbours that a thread takes: 16 bytes of a gradient of 16 bits

// Of some logits: the highest, the first place where it is, and the sum of e^(z - highest).
struct Summary {
    float highest = -INFINITY;
    float sum = 0;
    int32_t place = INT32_MAX;
};

// What exponentials are taken from: finite even if there has been nothing but -infinity.
__device__ inline float shiftOf(float highest) {
    return highest == -INFINITY ? 0.0F : highest;
}

__device__ inline void take(Summary& s, float z, int32_t place) {
    if (z > s.highest) {
        s.sum *= __expf(s.highest - z);
        s.highest = z;
        s.place = place;
    }
    s.sum += __expf(z - shiftOf(s.highest));
}

__device__ inline Summary merge(const Summary& a, const Summary& b) {
    Summary result;
    result.highest = fmaxf(a.highest, b.highest);
    const float shift = shiftOf(result.highest);
    result.sum = a.sum * __expf(a.highest - shift) + b.sum * __expf(b.highest - shift);
    const int32_t placeA = a.highest == result.highest ? a.place : INT32_MAX;
    const int32_t placeB = b.highest == result.highest ? b.place : INT32_MAX;
    result.place = min(placeA, placeB);
    return result;
}

__device__ inline Summary mergeOfWarp(Summary s) {
    for (int step = kWarpSize / 2; step > 0; step /= 2) {
        Summary other;
        other.highest = __shfl_down_sync(kAllLanes, s.highest, step);
        other.sum = __shfl_down_sync(kAllLanes, s.sum, step);
        other.place = __shfl_down_sync(kAllLanes, s.place, step);
        s = merge(s, other);
    }
    return s;
}

// Every thread gets the result.
__device__ inline Summary mergeOfBlock(Summary s, Summary* scratch) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    s = mergeOfWarp(s);
    if (lane == 0) scratch[warp] = s;
    __syncthreads();
    if (warp == 0) {
        s = mergeOfWarp(lane < kWarps ? scratch[lane] : Summary{});
        if (lane == 0) scratch[kWarps] = s;
    }
    __syncthreads();
    return scratch[kWarps];
}

template <class T>
struct Row {
    const float* logits;
    const T* bias;
    int64_t columns;
    float softCap;

    __device__ float cappedAt(int64_t c, float x) const {
        if (bias != nullptr) x += toFloat(bias[c]);
        return softCap > 0 ? softCap * tanhf(x / softCap) : x;
    }
    // Logits [c, c + kRun); what lies behind the row is not to be used.
    __device__ void load(int64_t c, float (&z)[kRun]) const {
#pragma unroll
        for (int half = 0; half < kRun; half += 4) {
            const Pack<float, 4> pack = loadPack<4>(logits + c + half);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                z[half + i] = c + half + i < columns ? cappedAt(c + half + i, pack.values[i]) : -INFINITY;
            }
        }
    }
};

template <class T>
__global__ void __launch_bounds__(kThreads) crossEntropyKernel(CrossEntropyRows args) {
    __shared__ Summary summaries[kWarps + 1];
    float* logits = args.logits + blockIdx.x * args.stride;
    auto* gradient = reinterpret_cast<T*>(logits);
    const int64_t first = int64_t{threadIdx.x} * kRun;
    const int32_t token = args.tokens[blockIdx.x];
    if (token < 0) {
        const Pack<T, kRun> zeros{};
        for (int64_t c = first; args.hasGradient && c < args.columns; c += kThreads * kRun) {
            storePack(gradient + c, zeros);
        }
        return;
    }
    const Row<T> row{logits, static_cast<const T*>(args.bias), args.columns, args.softCap};
    Summary mine;
    for (int64_t c = first; c < args.columns; c += kThreads * kRun) {
        float z[kRun];
        row.load(c, z);
#pragma unroll
        for (int i = 0; i < kRun; ++i) take(mine, z[i], static_cast<int32_t>(c + i));
    }
    const Summary all = mergeOfBlock(mine, summaries);
    const int32_t label = args.labels[token];
    const bool isLabel = label >= 0 && label < args.columns;
    if (threadIdx.x == 0) {
        const float atLabel = isLabel ? row.cappedAt(label, logits[label]) : NAN;
        args.losses[token] = logf(all.sum) + (all.highest - atLabel);
        if (args.predictions != nullptr) args.predictions[token] = all.place < args.columns ? all.place : 0;
    }
    if (!args.hasGradient) return;

    const float factor = isLabel ? args.gradScale / all.sum : NAN;
    const float inverseCap = args.softCap > 0 ? 1.0F / args.softCap : 0.0F;
    // A gradient of 16 bits reaches only logits of this and earlier runs of the block, all read before the barrier.
    for (int64_t begin = 0; begin < args.columns; begin += kThreads * kRun) {
        const int64_t c = begin + first;
        Pack<T, kRun> d{};
        if (c < args.columns) {
            float z[kRun];
            row.load(c, z);
#pragma unroll
            for (int i = 0; i < kRun; ++i) {
                float e = __expf(z[i] - shiftOf(all.highest));
                if (c + i == label) e -= all.sum;
                const float t = args.softCap > 0 && c + i < args.columns ? z[i] * inverseCap : 0.0F;
                d.values[i] = fromFloat<T>(e * factor * (1.0F - t * t));
            }
        }
        __syncthreads();
        if (c < args.columns) storePack(gradient + c, d);
    }
}

}  // namespace

void crossEntropy(const Stream& stream, const CrossEntropyRows& args) {
    withType("lm_head_loss", args.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        launch(stream, {static_cast<unsigned>(args.rows), kThreads}, crossEntropyKernel<T>, args);
    });
}

}  // namespace wb::kernels::cuda
