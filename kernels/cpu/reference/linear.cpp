// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {
namespace {

// out [m, n] = alpha * A B + bias (+ out) with element (i, l) of A at a[i * rowA + l * columnA], likewise B.
template <class In, class Weight, class Out>
struct Product {
    int64_t m, n, k;
    const In* a;
    int64_t rowA, columnA;
    const Weight* b;
    int64_t rowB, columnB;
    Out* out;
    const In* bias;
    double alpha;
    bool accumulates;

    void run(const Context& context) const {
        parallelFor(context, m, n * k, [this](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                for (int64_t j = 0; j < n; ++j) {
                    double sum = 0;
                    for (int64_t l = 0; l < k; ++l) {
                        sum += widen(a[i * rowA + l * columnA]) * widen(b[l * rowB + j * columnB]);
                    }
                    double value = alpha * sum;
                    if (bias != nullptr) value += widen(bias[j]);
                    if (accumulates) value += widen(out[i * n + j]);
                    out[i * n + j] = narrow<Out>(value);
                }
            }
        });
    }
};

// Calls f<In, Out>(): the two types are equal, or BF16 goes in and F32 comes out.
template <class F>
void withInAndOut(DType in, DType out, F&& f) {
    withStorage(in, [&]<class In>() {
        if constexpr (std::is_same_v<In, BFloat16>) {
            if (out == DType::F32) return f.template operator()<In, float>();
        }
        f.template operator()<In, In>();
    });
}

}  // namespace

void linearForward(const Context& context, const LinearForwardArgs& args) {
    withInAndOut(args.x.dtype, args.out.dtype, [&]<class In, class Out>() {
        const int64_t inputs = args.weight.shape[1];
        const int64_t outputs = args.weight.shape[0];
        withElements<In>(context, args.weight, [&]<class Weight>(const Weight* weight) {
            Product<In, Weight, Out>{args.x.shape[0],
                                     outputs,
                                     inputs,
                                     args.x.as<In>(),
                                     inputs,
                                     1,
                                     weight,
                                     1,
                                     inputs,
                                     args.out.as<Out>(),
                                     args.bias.isPresent() ? args.bias.as<In>() : nullptr,
                                     static_cast<double>(args.alpha),
                                     args.write == Write::Add}
                .run(context);
        });
    });
}

void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args) {
    withInAndOut(args.dOut.dtype, args.dX.dtype, [&]<class In, class Out>() {
        const int64_t inputs = args.weight.shape[1];
        const int64_t outputs = args.weight.shape[0];
        withElements<In>(context, args.weight, [&]<class Weight>(const Weight* weight) {
            Product<In, Weight, Out>{args.dOut.shape[0],
                                     inputs,
                                     outputs,
                                     args.dOut.as<In>(),
                                     outputs,
                                     1,
                                     weight,
                                     inputs,
                                     1,
                                     args.dX.as<Out>(),
                                     nullptr,
                                     static_cast<double>(args.alpha),
                                     args.write == Write::Add}
                .run(context);
        });
    });
}

void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args) {
    withStorage(args.dOut.dtype, [&]<class T>() {
        const int64_t tokens = args.dOut.shape[0];
        const int64_t outputs = args.dOut.shape[1];
        const int64_t inputs = args.x.shape[1];
        Product<T, T, Sum<T>>{outputs,
                              inputs,
                              tokens,
                              args.dOut.as<T>(),
                              1,
                              outputs,
                              args.x.as<T>(),
                              inputs,
                              1,
                              args.dWeight.as<Sum<T>>(),
                              nullptr,
                              static_cast<double>(args.alpha),
                              args.write == Write::Add}
            .run(context);
        if (!args.dBias.isPresent()) return;
        for (int64_t o = 0; o < outputs; ++o) {
            double sum = 0;
            for (int64_t t = 0; t < tokens; ++t) sum += widen(args.dOut.as<T>()[t * outputs + o]);
            args.dBias.as<Sum<T>>()[o] += static_cast<Sum<T>>(sum);
        }
    });
}

}  // namespace wb::kernels::cpu::reference
