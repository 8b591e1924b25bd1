// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {
namespace {

double weightAt(const ConstView& weights, int64_t index) {
    if (!weights.isPresent()) return 1.0;
    double value = 0;
    withStorage(weights.dtype, [&]<class W>() { value = widen(weights.as<W>()[index]); });
    return value;
}

}  // namespace

void gatherRows(const Context& /*context*/, const GatherRowsArgs& args) {
    const int64_t columns = args.x.shape[1];
    withStorage(args.x.dtype, [&]<class T>() {
        for (int64_t p = 0; p < args.out.shape[0]; ++p) {
            const int64_t assignment = args.assignments.isPresent() ? args.assignments.as<int32_t>()[p] : p;
            const T* x = args.x.as<T>() + assignment / args.rowsPerSource * columns;
            const double weight = weightAt(args.weights, assignment);
            for (int64_t c = 0; c < columns; ++c) args.out.as<T>()[p * columns + c] = narrow<T>(weight * widen(x[c]));
        }
    });
}

void combineRows(const Context& /*context*/, const CombineRowsArgs& args) {
    const int64_t columns = args.rows.shape[1];
    const int64_t slots = args.slots.shape[1];
    withStorage(args.rows.dtype, [&]<class T>() {
        for (int64_t t = 0; t < args.out.shape[0]; ++t) {
            for (int64_t c = 0; c < columns; ++c) {
                double sum = 0;
                for (int64_t j = t * slots; j < (t + 1) * slots; ++j) {
                    const int64_t row = args.slots.as<int32_t>()[j];
                    sum += weightAt(args.weights, j) * widen(args.rows.as<T>()[row * columns + c]);
                }
                args.out.as<T>()[t * columns + c] = narrow<T>(sum);
            }
        }
    });
}

void combineRowsBackwardWeights(const Context& /*context*/, const CombineRowsBackwardWeightsArgs& args) {
    const int64_t columns = args.rows.shape[1];
    const int64_t slots = args.dWeights.shape[1];
    withStorage(args.rows.dtype, [&]<class T>() {
        for (int64_t j = 0; j < args.dWeights.shape.count(); ++j) {
            const int64_t row = args.slots.isPresent() ? args.slots.as<int32_t>()[j] : j;
            double sum = 0;
            for (int64_t c = 0; c < columns; ++c) {
                sum += widen(args.dOut.as<T>()[j / slots * columns + c]) * widen(args.rows.as<T>()[row * columns + c]);
            }
            withStorage(args.dWeights.dtype, [&]<class W>() { args.dWeights.as<W>()[j] = narrow<W>(sum); });
        }
    });
}

}  // namespace wb::kernels::cpu::reference
