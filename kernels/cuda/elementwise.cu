// SPDX-License-Identifier: Apache-2.0
// add: out = a + b;  scale: out = f x (+ out);  softCap: out = cap tanh(x / cap);  fill: out = value;
// cast: out = x in another type;  dropout: out = x / (1 - p) or 0, by draw offset + i of Philox.
// Each reads and writes once: packs of 16 bytes where all addresses allow it.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

#include "kernels/base/philox.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxPack = 8;  // elements a thread handles at a time: 16 bytes of the narrowest type

// out[i] = f(i, x[i]) in packs of N. F: (int64_t, float) -> float.
template <int N, class In, class Out, class F>
__global__ void __launch_bounds__(kThreads) mapKernel(const In* x, Out* out, int64_t count, F f) {
    const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N;
    if (i >= count) return;
    const Pack<In, N> in = loadPack<N>(x + i);
    Pack<Out, N> result;
#pragma unroll
    for (int j = 0; j < N; ++j) result.values[j] = fromFloat<Out>(f(i + j, toFloat(in.values[j])));
    storePack(out + i, result);
}

// The same with a second operand, which may be the output.
template <int N, class In, class Second, class Out, class F>
__global__ void __launch_bounds__(kThreads) mapTwoKernel(const In* x, const Second* y, Out* out, int64_t count, F f) {
    const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N;
    if (i >= count) return;
    const Pack<In, N> in = loadPack<N>(x + i);
    const Pack<Second, N> second = loadPack<N>(y + i);
    Pack<Out, N> result;
#pragma unroll
    for (int j = 0; j < N; ++j) result.values[j] = fromFloat<Out>(f(toFloat(in.values[j]), toFloat(second.values[j])));
    storePack(out + i, result);
}

template <class... Types>
constexpr int packOf() {
    return std::min(kMaxPack, std::min({kPackOf<Types>...}));
}

template <class In, class Out, class F>
void map(const Context& context, const In* x, Out* out, int64_t count, const F& f) {
    constexpr int kPack = packOf<In, Out>();
    const Stream& stream = streamOf(context);
    if (count % kPack == 0 && canPack<In>(kPackOf<In>, x) && canPack<Out>(kPackOf<Out>, out)) {
        launch(stream, {blocksFor(count, kThreads * kPack), kThreads}, mapKernel<kPack, In, Out, F>, x, out, count, f);
    } else {
        launch(stream, {blocksFor(count, kThreads), kThreads}, mapKernel<1, In, Out, F>, x, out, count, f);
    }
}

template <class In, class Second, class Out, class F>
void mapTwo(const Context& context, const In* x, const Second* y, Out* out, int64_t count, const F& f) {
    constexpr int kPack = packOf<In, Second, Out>();
    const Stream& stream = streamOf(context);
    if (count % kPack == 0 && canPack<In>(kPackOf<In>, x) && canPack<Second>(kPackOf<Second>, y) &&
        canPack<Out>(kPackOf<Out>, out)) {
        launch(stream, {blocksFor(count, kThreads * kPack), kThreads}, mapTwoKernel<kPack, In, Second, Out, F>, x, y,
               out, count, f);
    } else {
        launch(stream, {blocksFor(count, kThreads), kThreads}, mapTwoKernel<1, In, Second, Out, F>, x, y, out, count,
               f);
    }
}

struct Sum {
    __device__ float operator()(float a, float b) const { return a + b; }
};
struct Scaled {
    float factor;
    __device__ float operator()(int64_t /*i*/, float x) const { return factor * x; }
};
struct ScaledSum {
    float factor;
    __device__ float operator()(float x, float sum) const { return sum + factor * x; }
};
struct SoftCapped {
    float cap;
    __device__ float operator()(int64_t /*i*/, float x) const { return cap * tanhf(x / cap); }
};
struct Same {
    __device__ float operator()(int64_t /*i*/, float x) const { return x; }
};
struct Dropped {
    float p;
    float kept;  // 1 / (1 - p)
    uint64_t seed;
    uint64_t offset;
    __device__ float operator()(int64_t i, float x) const {
        const uint32_t word = philoxWord(seed, offset + static_cast<uint64_t>(i));
        return philoxUnit(word) < p ? 0.0F : x * kept;
    }
};

template <class T>
__global__ void __launch_bounds__(kThreads) fillKernel(T* out, int64_t count, T value) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i < count) out[i] = value;
}

template <class T>
void fillWith(const Context& context, const View& out, T value) {
    const int64_t count = out.shape.count();
    launch(streamOf(context), {blocksFor(count, kThreads), kThreads}, fillKernel<T>, out.as<T>(), count, value);
}

}  // namespace

void add(const Context& context, const AddArgs& args) {
    withType("add", args.a.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        mapTwo(context, args.a.as<T>(), args.b.as<T>(), args.out.as<T>(), args.out.shape.count(), Sum{});
    });
}

void scale(const Context& context, const ScaleArgs& args) {
    withType("scale", args.x.dtype, [&](auto in) {
        withType("scale", args.out.dtype, [&](auto out) {
            using In = typename decltype(in)::Type;
            using Out = typename decltype(out)::Type;
            const int64_t count = args.x.shape.count();
            if (args.accumulates) {
                mapTwo(context, args.x.as<In>(), args.out.as<Out>(), args.out.as<Out>(), count, ScaledSum{args.factor});
            } else {
                map(context, args.x.as<In>(), args.out.as<Out>(), count, Scaled{args.factor});
            }
        });
    });
}

void softCap(const Context& context, const SoftCapArgs& args) {
    withType("soft_cap", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        map(context, args.x.as<T>(), args.out.as<T>(), args.x.shape.count(), SoftCapped{args.cap});
    });
}

void fill(const Context& context, const FillArgs& args) {
    if (args.value == 0.0F) {
        check(cudaMemsetAsync(args.out.data, 0, args.out.bytes(), streamOf(context).handle()), "clearing memory");
    } else if (args.out.dtype == DType::I32) {
        fillWith(context, args.out, static_cast<int32_t>(args.value));
    } else {
        withType("fill", args.out.dtype, [&](auto tag) {
            using T = typename decltype(tag)::Type;
            fillWith<T>(context, args.out, T(args.value));
        });
    }
}

void cast(const Context& context, const CastArgs& args) {
    withType("cast", args.x.dtype, [&](auto in) {
        withType("cast", args.out.dtype, [&](auto out) {
            using In = typename decltype(in)::Type;
            using Out = typename decltype(out)::Type;
            map(context, args.x.as<In>(), args.out.as<Out>(), args.x.shape.count(), Same{});
        });
    });
}

void dropout(const Context& context, const DropoutArgs& args) {
    withType("dropout", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        map(context, args.x.as<T>(), args.out.as<T>(), args.x.shape.count(),
            Dropped{args.p, 1.0F / (1.0F - args.p), args.seed, args.offset});
    });
}

}  // namespace wb::kernels::cuda
