// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>

namespace wb::kernels::cpu::reference {

void rmsNormForward(const Context& /*context*/, const RmsNormForwardArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        const int64_t rows = args.x.shape[0];
        const int64_t columns = args.x.shape[1];
        const auto weightAt = [&](int64_t c) {
            return widen(args.weight.as<T>()[c]) + static_cast<double>(args.weightOffset);
        };
        for (int64_t t = 0; t < rows; ++t) {
            const T* x = args.x.as<T>() + t * columns;
            const T* residual = args.residual.isPresent() ? args.residual.as<T>() + t * columns : nullptr;
            T* sum = args.sum.isPresent() ? args.sum.as<T>() + t * columns : nullptr;
            T* out = args.out.as<T>() + t * columns;
            // The rounded sum is what later ops see, so it is also what gets normalised.
            const auto valueAt = [&](int64_t c) {
                return residual == nullptr ? widen(x[c]) : widen(narrow<T>(widen(x[c]) + widen(residual[c])));
            };
            double squares = 0;
            for (int64_t c = 0; c < columns; ++c) squares += valueAt(c) * valueAt(c);
            const double r = 1.0 / std::sqrt(squares / static_cast<double>(columns) + static_cast<double>(args.eps));
            for (int64_t c = 0; c < columns; ++c) {
                const double s = valueAt(c);
                if (sum != nullptr) sum[c] = narrow<T>(s);
                out[c] = narrow<T>(s * r * weightAt(c));
            }
            if (args.invRms.isPresent()) args.invRms.as<Sum<T>>()[t] = static_cast<Sum<T>>(r);
        }
    });
}

void rmsNormBackward(const Context& /*context*/, const RmsNormBackwardArgs& args) {
    withStorage(args.dOut.dtype, [&]<class T>() {
        const int64_t rows = args.dOut.shape[0];
        const int64_t columns = args.dOut.shape[1];
        const auto weightAt = [&](int64_t c) {
            return widen(args.weight.as<T>()[c]) + static_cast<double>(args.weightOffset);
        };
        for (int64_t t = 0; t < rows; ++t) {
            const T* dOut = args.dOut.as<T>() + t * columns;
            const T* s = args.s.as<T>() + t * columns;
            const T* dResidual = args.dResidual.isPresent() ? args.dResidual.as<T>() + t * columns : nullptr;
            T* dX = args.dX.as<T>() + t * columns;
            const double r = widen(args.invRms.as<Sum<T>>()[t]);
            double projection = 0;
            for (int64_t c = 0; c < columns; ++c) projection += widen(dOut[c]) * weightAt(c) * widen(s[c]) * r;
            projection /= static_cast<double>(columns);
            for (int64_t c = 0; c < columns; ++c) {
                const double n = widen(s[c]) * r;
                double gradient = r * (widen(dOut[c]) * weightAt(c) - n * projection);
                if (dResidual != nullptr) gradient += widen(dResidual[c]);
                dX[c] = narrow<T>(gradient);
            }
        }
        if (!args.dWeight.isPresent()) return;
        for (int64_t c = 0; c < columns; ++c) {
            double sum = 0;
            for (int64_t t = 0; t < rows; ++t) {
                sum += widen(args.dOut.as<T>()[t * columns + c]) * widen(args.s.as<T>()[t * columns + c]) *
                       widen(args.invRms.as<Sum<T>>()[t]);
            }
            args.dWeight.as<Sum<T>>()[c] += static_cast<Sum<T>>(sum);
        }
    });
}

}  // namespace wb::kernels::cpu::reference
