// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>

namespace wb::kernels::cpu::reference {
namespace {

template <class T>
void forwardRow(const LayerNormForwardArgs& args, int64_t t) {
    const int64_t columns = args.x.shape[1];
    const T* x = args.x.as<T>() + t * columns;
    const T* residual = args.residual.isPresent() ? args.residual.as<T>() + t * columns : nullptr;
    T* sum = args.sum.isPresent() ? args.sum.as<T>() + t * columns : nullptr;
    T* out = args.out.as<T>() + t * columns;
    // The rounded sum is what later ops see, so it is also what gets normalised.
    const auto valueAt = [&](int64_t c) {
        return residual == nullptr ? widen(x[c]) : widen(narrow<T>(widen(x[c]) + widen(residual[c])));
    };
    double mean = 0;
    for (int64_t c = 0; c < columns; ++c) mean += valueAt(c);
    mean /= static_cast<double>(columns);
    double squares = 0;
    for (int64_t c = 0; c < columns; ++c) squares += (valueAt(c) - mean) * (valueAt(c) - mean);
    const double r = 1.0 / std::sqrt(squares / static_cast<double>(columns) + static_cast<double>(args.eps));
    for (int64_t c = 0; c < columns; ++c) {
        const double s = valueAt(c);
        if (sum != nullptr) sum[c] = narrow<T>(s);
        const double bias = args.bias.isPresent() ? widen(args.bias.as<T>()[c]) : 0.0;
        out[c] = narrow<T>((s - mean) * r * widen(args.weight.as<T>()[c]) + bias);
    }
    if (!args.invStd.isPresent()) return;
    args.mean.as<Sum<T>>()[t] = static_cast<Sum<T>>(mean);
    args.invStd.as<Sum<T>>()[t] = static_cast<Sum<T>>(r);
}

template <class T>
void backwardRow(const LayerNormBackwardArgs& args, int64_t t) {
    const int64_t columns = args.dOut.shape[1];
    const T* dOut = args.dOut.as<T>() + t * columns;
    const T* s = args.s.as<T>() + t * columns;
    const T* dResidual = args.dResidual.isPresent() ? args.dResidual.as<T>() + t * columns : nullptr;
    T* dX = args.dX.as<T>() + t * columns;
    const double mean = widen(args.mean.as<Sum<T>>()[t]);
    const double r = widen(args.invStd.as<Sum<T>>()[t]);
    const auto gradientAt = [&](int64_t c) { return widen(dOut[c]) * widen(args.weight.as<T>()[c]); };
    double level = 0;
    double projection = 0;
    for (int64_t c = 0; c < columns; ++c) {
        level += gradientAt(c);
        projection += gradientAt(c) * (widen(s[c]) - mean) * r;
    }
    level /= static_cast<double>(columns);
    projection /= static_cast<double>(columns);
    for (int64_t c = 0; c < columns; ++c) {
        const double n = (widen(s[c]) - mean) * r;
        double gradient = r * (gradientAt(c) - level - n * projection);
        if (dResidual != nullptr) gradient += widen(dResidual[c]);
        dX[c] = narrow<T>(gradient);
    }
}

template <class T>
void parameterGradients(const LayerNormBackwardArgs& args, int64_t c) {
    const int64_t columns = args.dOut.shape[1];
    double weight = 0;
    double bias = 0;
    for (int64_t t = 0; t < args.dOut.shape[0]; ++t) {
        const double dOut = widen(args.dOut.as<T>()[t * columns + c]);
        const double centred = widen(args.s.as<T>()[t * columns + c]) - widen(args.mean.as<Sum<T>>()[t]);
        weight += dOut * centred * widen(args.invStd.as<Sum<T>>()[t]);
        bias += dOut;
    }
    if (args.dWeight.isPresent()) args.dWeight.as<Sum<T>>()[c] += static_cast<Sum<T>>(weight);
    if (args.dBias.isPresent()) args.dBias.as<Sum<T>>()[c] += static_cast<Sum<T>>(bias);
}

}  // namespace

void layerNormForward(const Context& /*context*/, const LayerNormForwardArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        for (int64_t t = 0; t < args.x.shape[0]; ++t) forwardRow<T>(args, t);
    });
}

void layerNormBackward(const Context& /*context*/, const LayerNormBackwardArgs& args) {
    withStorage(args.dOut.dtype, [&]<class T>() {
        if (args.dWeight.isPresent() || args.dBias.isPresent()) {  // first: dX may replace what it reads
            for (int64_t c = 0; c < args.dOut.shape[1]; ++c) parameterGradients<T>(args, c);
        }
        for (int64_t t = 0; t < args.dOut.shape[0]; ++t) backwardRow<T>(args, t);
    });
}

}  // namespace wb::kernels::cpu::reference
