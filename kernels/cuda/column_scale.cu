// SPDX-License-Identifier: Apache-2.0
// out = x gain + bias (+ out);  dX = dOut gain;  dGain += sum over rows of dOut x;  dBias += sum over rows of dOut
#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/packs.h"

namespace wb::kernels::cuda {
namespace {

template <class T, class Out>
struct Scaled {
    const T* x;
    const float* gain;  // or null, as bias
    const T* bias;
    Out* out;
    int64_t columns;
    bool accumulates;

    template <int N>
    __device__ void at(int64_t row, int column) const {
        const int64_t place = row * columns + column;
        const Pack<T, N> in = loadPack<N>(x + place);
        Pack<float, N> gains;
        Pack<T, N> shifts{};
        Pack<Out, N> result{};
        if (gain != nullptr) gains = loadPack<N>(gain + column);
        if (bias != nullptr) shifts = loadPack<N>(bias + column);
        if (accumulates) result = loadPack<N>(out + place);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const float factor = gain != nullptr ? gains.values[i] : 1.0F;
            const float sum = toFloat(in.values[i]) * factor + toFloat(shifts.values[i]);
            result.values[i] = fromFloat<Out>(sum + toFloat(result.values[i]));
        }
        storePack(out + place, result);
    }
};

// Term of dGain; of dBias without x.
template <class T>
struct GradientTerm {
    const T* dOut;
    const T* x;
    int64_t columns;

    template <int N>
    __device__ void at(int64_t row, int column, float (&terms)[N]) const {
        const int64_t place = row * columns + column;
        const Pack<T, N> gradients = loadPack<N>(dOut + place);
        Pack<T, N> values;
        if (x != nullptr) values = loadPack<N>(x + place);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            terms[i] = toFloat(gradients.values[i]) * (x != nullptr ? toFloat(values.values[i]) : 1.0F);
        }
    }
};

template <class T>
void addSums(const Context& context, const ColumnScaleBackwardArgs& args, const T* x, const View& out) {
    if (!out.isPresent()) return;
    const int64_t rows = args.dOut.shape[0];
    const int64_t columns = args.dOut.shape[1];
    const GradientTerm<T> term{args.dOut.as<T>(), x, columns};
    addColumnSums<kPackOf<T>>(streamOf(context), rows, columns, canPack<T>(columns, term.dOut, x), term,
                              stripsOf(rows, columns), args.workspace.as<float>(), out.as<float>());
}

}  // namespace

void columnScaleForward(const Context& context, const ColumnScaleForwardArgs& args) {
    withType("column_scale_forward", args.x.dtype, [&](auto in) {
        withType("column_scale_forward", args.out.dtype, [&](auto result) {
            using T = typename decltype(in)::Type;
            using Out = typename decltype(result)::Type;
            constexpr int kWidth = kCommonPack<T, Out>;
            const int64_t columns = args.x.shape[1];
            const Scaled<T, Out> op{args.x.as<T>(), args.gain.as<float>(), args.bias.as<T>(), args.out.as<Out>(),
                                    columns,        args.accumulates};
            const bool isPacked = columns % kWidth == 0 && isAligned<kWidth>(op.x) && isAligned<kWidth>(op.gain) &&
                                  isAligned<kWidth>(op.bias) && isAligned<kWidth>(op.out);
            forRowPacks<kWidth>(context, args.x.shape[0], columns, isPacked, op);
        });
    });
}

// The sums come first: dX may take the place of dOut.
void columnScaleBackward(const Context& context, const ColumnScaleBackwardArgs& args) {
    if (args.dOut.shape.count() == 0) return;
    withType("column_scale_backward", args.dOut.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        addSums<T>(context, args, args.x.as<T>(), args.dGain);
        addSums<T>(context, args, nullptr, args.dBias);
    });
    if (args.dX.isPresent())
        cuda::columnScaleForward(context, {.x = args.dOut, .gain = args.gain, .bias = {}, .out = args.dX});
}

size_t columnScaleBackwardWorkspace(const Context& /*context*/, const ColumnScaleBackwardArgs& args) {
    if (!args.dGain.isPresent() && !args.dBias.isPresent()) return 0;
    const int64_t columns = args.dOut.shape[1];
    return static_cast<size_t>(stripsOf(args.dOut.shape[0], columns) * columns) * sizeof(float);
}

}  // namespace wb::kernels::cuda
