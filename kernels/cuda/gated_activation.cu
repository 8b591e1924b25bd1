// SPDX-License-Identifier: Apache-2.0
// out = act(gate) up;  dGate = dOut up act'(gate);  dUp = dOut act(gate)
// 3 elements of traffic forward, 5 backward, which computes act(gate) again instead of reading it.
#include "kernels/cuda/activation_functions.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

namespace wb::kernels::cuda {
namespace {

template <class T, class Act>
struct Gated {
    const T* gate;
    const T* up;
    T* out;

    template <int N>
    __device__ void at(int64_t i) const {
        const Pack<T, N> gates = loadPack<N>(gate + i);
        Pack<T, N> pack = loadPack<N>(up + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            pack.values[j] = fromFloat<T>(Act{}(toFloat(gates.values[j])).value * toFloat(pack.values[j]));
        }
        storePack(out + i, pack);
    }
};

template <class T, class Act>
struct GatedGradients {
    const T* dOut;
    const T* gate;
    const T* up;
    T* dGate;
    T* dUp;

    template <int N>
    __device__ void at(int64_t i) const {
        const Pack<T, N> upstream = loadPack<N>(dOut + i);
        Pack<T, N> gates = loadPack<N>(gate + i);
        Pack<T, N> ups = loadPack<N>(up + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const ValueAndSlope act = Act{}(toFloat(gates.values[j]));
            const float d = toFloat(upstream.values[j]);
            gates.values[j] = fromFloat<T>(d * toFloat(ups.values[j]) * act.slope);
            ups.values[j] = fromFloat<T>(d * act.value);
        }
        storePack(dGate + i, gates);
        storePack(dUp + i, ups);
    }
};

}  // namespace

void gatedActivationForward(const Context& context, const GatedActivationForwardArgs& args) {
    withType("gated_activation_forward", args.gate.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        withActivation(args.activation, [&](auto act) {
            const Gated<T, decltype(act)> op{args.gate.as<T>(), args.up.as<T>(), args.out.as<T>()};
            const int64_t count = args.gate.shape.count();
            forPacks<kPackOf<T>>(context, count, canPack<T>(count, op.gate, op.up, op.out), op);
        });
    });
}

void gatedActivationBackward(const Context& context, const GatedActivationBackwardArgs& args) {
    withType("gated_activation_backward", args.gate.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        withActivation(args.activation, [&](auto act) {
            const GatedGradients<T, decltype(act)> op{args.dOut.as<T>(), args.gate.as<T>(), args.up.as<T>(),
                                                      args.dGate.as<T>(), args.dUp.as<T>()};
            const int64_t count = args.gate.shape.count();
            const bool isPacked = canPack<T>(count, op.dOut, op.gate, op.up, op.dGate, op.dUp);
            forPacks<kPackOf<T>>(context, count, isPacked, op);
        });
    });
}

}  // namespace wb::kernels::cuda
