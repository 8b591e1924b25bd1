// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {
namespace {

template <class T, class Out>
void forward(const ColumnScaleForwardArgs& args) {
    const int64_t columns = args.x.shape[1];
    for (int64_t i = 0; i < args.x.shape.count(); ++i) {
        const int64_t c = i % columns;
        double value = widen(args.x.as<T>()[i]);
        if (args.gain.isPresent()) value *= widen(args.gain.as<Sum<T>>()[c]);
        if (args.bias.isPresent()) value += widen(args.bias.as<T>()[c]);
        if (args.accumulates) value += widen(args.out.as<Out>()[i]);
        args.out.as<Out>()[i] = narrow<Out>(value);
    }
}

}  // namespace

void columnScaleForward(const Context& /*context*/, const ColumnScaleForwardArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        if (args.out.dtype == args.x.dtype) return forward<T, T>(args);
        return forward<T, float>(args);
    });
}

void columnScaleBackward(const Context& /*context*/, const ColumnScaleBackwardArgs& args) {
    withStorage(args.dOut.dtype, [&]<class T>() {
        const int64_t rows = args.dOut.shape[0];
        const int64_t columns = args.dOut.shape[1];
        const T* dOut = args.dOut.as<T>();
        for (int64_t c = 0; c < columns; ++c) {
            double gainSum = 0;
            double biasSum = 0;
            for (int64_t i = c; i < rows * columns; i += columns) {
                const double upstream = widen(dOut[i]);
                biasSum += upstream;
                if (args.dGain.isPresent()) gainSum += upstream * widen(args.x.as<T>()[i]);
                if (args.dX.isPresent()) args.dX.as<T>()[i] = narrow<T>(upstream * widen(args.gain.as<Sum<T>>()[c]));
            }
            if (args.dGain.isPresent()) args.dGain.as<Sum<T>>()[c] += static_cast<Sum<T>>(gainSum);
            if (args.dBias.isPresent()) args.dBias.as<Sum<T>>()[c] += static_cast<Sum<T>>(biasSum);
        }
    });
}

}  // namespace wb::kernels::cpu::reference
