// SPDX-License-Identifier: Apache-2.0
// Half: (a, b) = (x[i], x[i + R/2]); interleaved: (x[2i], x[2i + 1]).
// out = (a cos - b sin, b cos + a sin) * magnitude with the angle position * frequency[i], negated for backward.
// A block takes a few tokens: it puts their sines into shared memory once, then goes over all heads in packs of 16
// bytes. Every value is read and written once.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxTableFloats = 8192;  // sines and cosines of a block: 32 KiB

struct Rotation {
    const int32_t* positions;
    const float* frequencies;
    int64_t tokens;
    int heads;
    int headDim;
    int pairs;
    int tokensPerBlock;
    float sign;
    float magnitude;
};

// Sine and cosine to 1e-7, for any angle that double can count quarter turns of. The angle is reduced in double: a
// product of a position and a frequency that was rounded to F32 would be off by its last place, a whole turn far out.
__device__ inline void sineAndCosine(double angle, float& sine, float& cosine) {
    const double quarters = rint(angle * 0.63661977236758134308);
    double rest = fma(-quarters, 1.57079632679489661923, angle);
    rest = fma(-quarters, 6.123233995736766036e-17, rest);
    const auto r = static_cast<float>(rest);
    const float square = r * r;
    // Taylor: |r| <= pi/4, the first terms left out are below 2e-9 and 2e-10.
    float s = fmaf(square, 1.0F / 362880, -1.0F / 5040);
    s = fmaf(square, s, 1.0F / 120);
    s = fmaf(square, s, -1.0F / 6);
    s = fmaf(square * r, s, r);
    float c = fmaf(square, -1.0F / 3628800, 1.0F / 40320);
    c = fmaf(square, c, -1.0F / 720);
    c = fmaf(square, c, 1.0F / 24);
    c = fmaf(square, c, -0.5F);
    c = fmaf(square, c, 1.0F);
    const auto quadrant = static_cast<int>(static_cast<long long>(quarters) & 3);
    sine = (quadrant & 1) != 0 ? c : s;
    cosine = (quadrant & 1) != 0 ? s : c;
    if (quadrant >= 2) sine = -sine;
    if (quadrant == 1 || quadrant == 2) cosine = -cosine;
}

// The table of a block: cosines, then sines, of each of its tokens; [token][pair].
__device__ inline void fillTable(const Rotation& p, int64_t firstToken, int tokens, float* cosines, float* sines) {
    for (int i = static_cast<int>(threadIdx.x); i < tokens * p.pairs; i += kThreads) {
        const int token = i / p.pairs;
        const double frequency = p.frequencies[i - token * p.pairs];
        float sine = 0;
        float cosine = 0;
        sineAndCosine(p.positions[firstToken + token] * frequency, sine, cosine);
        cosines[i] = cosine * p.magnitude;
        sines[i] = sine * p.sign * p.magnitude;
    }
}

template <int N, class T>
__device__ inline void copyPack(const T* x, T* out) {
    if (x != out) storePack(out, loadPack<N>(x));
}

// N neighbouring pairs from `first` on, whose partners are pairs away.
template <int N, class T>
__device__ inline void rotateHalves(const T* x, T* out, int pairs, const float* cosines, const float* sines) {
    Pack<T, N> a = loadPack<N>(x);
    Pack<T, N> b = loadPack<N>(x + pairs);
    const Pack<float, N> cosine = loadPack<N>(cosines);
    const Pack<float, N> sine = loadPack<N>(sines);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const float first = toFloat(a.values[i]);
        const float second = toFloat(b.values[i]);
        a.values[i] = fromFloat<T>(first * cosine.values[i] - second * sine.values[i]);
        b.values[i] = fromFloat<T>(second * cosine.values[i] + first * sine.values[i]);
    }
    storePack(out, a);
    storePack(out + pairs, b);
}

template <int N, class T>
__device__ inline void rotateNeighbours(const T* x, T* out, const float* cosines, const float* sines) {
    Pack<T, 2 * N> pack = loadPack<2 * N>(x);
    const Pack<float, N> cosine = loadPack<N>(cosines);
    const Pack<float, N> sine = loadPack<N>(sines);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const float first = toFloat(pack.values[2 * i]);
        const float second = toFloat(pack.values[2 * i + 1]);
        pack.values[2 * i] = fromFloat<T>(first * cosine.values[i] - second * sine.values[i]);
        pack.values[2 * i + 1] = fromFloat<T>(second * cosine.values[i] + first * sine.values[i]);
    }
    storePack(out, pack);
}

template <class T, RotaryLayout kLayout, int N>
__global__ void __launch_bounds__(kThreads) rotaryKernel(Rotation p, const T* x, T* out) {
    auto* cosines = dynamicShared<float>();
    float* sines = cosines + p.tokensPerBlock * p.pairs;
    const int64_t firstToken = int64_t{blockIdx.x} * p.tokensPerBlock;
    const int tokens = static_cast<int>(min(int64_t{p.tokensPerBlock}, p.tokens - firstToken));
    fillTable(p, firstToken, tokens, cosines, sines);
    __syncthreads();
    const int rotated = p.pairs / N;  // items of a head that turn; behind them, those that stay
    const int itemsPerHead = rotated + (p.headDim - 2 * p.pairs) / N;
    const int heads = tokens * p.heads;
    for (int i = static_cast<int>(threadIdx.x); i < heads * itemsPerHead; i += kThreads) {
        const int head = i / itemsPerHead;
        const int item = i - head * itemsPerHead;
        const int64_t start = (firstToken * p.heads + head) * p.headDim;
        const int angle = head / p.heads * p.pairs + item * N;
        if (item >= rotated) {
            const int64_t place = start + 2 * p.pairs + (item - rotated) * N;
            copyPack<N>(x + place, out + place);
        } else if constexpr (kLayout == RotaryLayout::Half) {
            const int64_t place = start + item * N;
            rotateHalves<N>(x + place, out + place, p.pairs, cosines + angle, sines + angle);
        } else {
            const int64_t place = start + item * 2 * N;
            rotateNeighbours<N>(x + place, out + place, cosines + angle, sines + angle);
        }
    }
}

template <class T, RotaryLayout kLayout>
void rotate(const Context& context, Rotation p, const T* x, T* out) {
    // A pair of neighbours lies in one pack, a pair of halves in two.
    constexpr int kPack = kLayout == RotaryLayout::Half ? kPackOf<T> : kPackOf<T> / 2;
    const bool isPacked = p.pairs % kPack == 0 && p.headDim % kPackOf<T> == 0 && canPack<T>(kPackOf<T>, x, out);
    const int itemsPerToken = p.heads * (p.headDim - p.pairs) / (isPacked ? kPack : 1);
    const auto fitting = std::max<int64_t>(1, kMaxTableFloats / std::max(1, 2 * p.pairs));
    p.tokensPerBlock = static_cast<int>(
        std::clamp<int64_t>(2 * kThreads / std::max(1, itemsPerToken), 1, std::min(fitting, p.tokens)));
    const size_t tableBytes = size_t{2} * static_cast<size_t>(p.tokensPerBlock * p.pairs) * sizeof(float);
    launch(streamOf(context), {blocksFor(p.tokens, p.tokensPerBlock), kThreads, tableBytes},
           isPacked ? rotaryKernel<T, kLayout, kPack> : rotaryKernel<T, kLayout, 1>, p, x, out);
}

}  // namespace

void rotary(const Context& context, const RotaryArgs& args) {
    if (args.x.shape.count() == 0) return;
    const Rotation p{.positions = args.positions.as<int32_t>(),
                     .frequencies = args.frequencies.as<float>(),
                     .tokens = args.x.shape[0],
                     .heads = static_cast<int>(args.x.shape[1]),
                     .headDim = static_cast<int>(args.x.shape[2]),
                     .pairs = static_cast<int>(args.frequencies.shape[0]),
                     .tokensPerBlock = 1,
                     .sign = args.direction == RotaryDirection::Forward ? 1.0F : -1.0F,
                     .magnitude = args.magnitude};
    withType("rotary", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        if (args.layout == RotaryLayout::Half) {
            rotate<T, RotaryLayout::Half>(context, p, args.x.as<T>(), args.out.as<T>());
        } else {
            rotate<T, RotaryLayout::Interleaved>(context, p, args.x.as<T>(), args.out.as<T>());
        }
    });
}

}  // namespace wb::kernels::cuda
