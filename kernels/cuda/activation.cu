// SPDX-License-Identifier: Apache-2.0
// out = act(x);  dX = dOut act'(x).  2 and 3 elements of traffic for each element of x.
#include "kernels/cuda/activation_functions.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

namespace wb::kernels::cuda {
namespace {

template <class T, class Act>
struct Activated {
    const T* x;
    T* out;

    template <int N>
    __device__ void at(int64_t i) const {
        Pack<T, N> pack = loadPack<N>(x + i);
#pragma unroll
        for (int j = 0; j < N; ++j) pack.values[j] = fromFloat<T>(Act{}(toFloat(pack.values[j])).value);
        storePack(out + i, pack);
    }
};

template <class T, class Act>
struct ActivationGradient {
    const T* dOut;
    const T* x;
    T* dX;

    template <int N>
    __device__ void at(int64_t i) const {
        const Pack<T, N> in = loadPack<N>(x + i);
        Pack<T, N> gradient = loadPack<N>(dOut + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            gradient.values[j] = fromFloat<T>(toFloat(gradient.values[j]) * Act{}(toFloat(in.values[j])).slope);
        }
        storePack(dX + i, gradient);
    }
};

}  // namespace

void activationForward(const Context& context, const ActivationForwardArgs& args) {
    withType("activation_forward", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        withActivation(args.activation, [&](auto act) {
            const Activated<T, decltype(act)> op{args.x.as<T>(), args.out.as<T>()};
            const int64_t count = args.x.shape.count();
            forPacks<kPackOf<T>>(context, count, canPack<T>(count, op.x, op.out), op);
        });
    });
}

void activationBackward(const Context& context, const ActivationBackwardArgs& args) {
    withType("activation_backward", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        withActivation(args.activation, [&](auto act) {
            const ActivationGradient<T, decltype(act)> op{args.dOut.as<T>(), args.x.as<T>(), args.dX.as<T>()};
            const int64_t count = args.x.shape.count();
            forPacks<kPackOf<T>>(context, count, canPack<T>(count, op.dOut, op.x, op.dX), op);
        });
    });
}

}  // namespace wb::kernels::cuda
