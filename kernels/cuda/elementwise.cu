// SPDX-License-Identifier: Apache-2.0
// add: out = a + b;  scale: out = f x (+ out);  softCap: out = cap tanh(x / cap);  fill: out = value;
// cast: out = x in another type;  dropout: out = x / (1 - p) or 0, by draw offset + i of Philox.
// Each reads and writes once: packs of 16 bytes where all addresses allow it.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

#include "kernels/base/philox.h"

namespace wb::kernels::cuda {
namespace {

// out[i] = f(i, x[i])
template <class In, class Out, class F>
struct Mapped {
    const In* x;
    Out* out;
    F f;

    template <int N>
    __device__ void at(int64_t i) const {
        const Pack<In, N> in = loadPack<N>(x + i);
        Pack<Out, N> result;
#pragma unroll
        for (int j = 0; j < N; ++j) result.values[j] = fromFloat<Out>(f(i + j, toFloat(in.values[j])));
        storePack(out + i, result);
    }
};

// The same with a second operand, which may be the output.
template <class In, class Second, class Out, class F>
struct MappedTwo {
    const In* x;
    const Second* y;
    Out* out;
    F f;

    template <int N>
    __device__ void at(int64_t i) const {
        const Pack<In, N> in = loadPack<N>(x + i);
        const Pack<Second, N> second = loadPack<N>(y + i);
        Pack<Out, N> result;
#pragma unroll
        for (int j = 0; j < N; ++j)
            result.values[j] = fromFloat<Out>(f(toFloat(in.values[j]), toFloat(second.values[j])));
        storePack(out + i, result);
    }
};

template <class In, class Out, class F>
void map(const Context& context, const In* x, Out* out, int64_t count, const F& f) {
    constexpr int kPack = kCommonPack<In, Out>;
    const bool isPacked = count % kPack == 0 && isAligned<kPack>(x) && isAligned<kPack>(out);
    forPacks<kPack>(context, count, isPacked, Mapped<In, Out, F>{x, out, f});
}

template <class In, class Second, class Out, class F>
void mapTwo(const Context& context, const In* x, const Second* y, Out* out, int64_t count, const F& f) {
    constexpr int kPack = kCommonPack<In, Second, Out>;
    const bool isPacked = count % kPack == 0 && isAligned<kPack>(x) && isAligned<kPack>(y) && isAligned<kPack>(out);
    forPacks<kPack>(context, count, isPacked, MappedTwo<In, Second, Out, F>{x, y, out, f});
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
struct Filled {
    T* out;
    T value;

    template <int N>
    __device__ void at(int64_t i) const {
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.values[j] = value;
        storePack(out + i, pack);
    }
};

template <class T>
void fillWith(const Context& context, const View& out, T value) {
    const int64_t count = out.shape.count();
    const Filled<T> op{out.as<T>(), value};
    forPacks<kPackOf<T>>(context, count, canPack<T>(count, op.out), op);
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
