// SPDX-License-Identifier: Apache-2.0
// inverse = 1 / sqrt(sum of x^2). Runs once per step and adapted layer: sums in double, no vector code.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/parallel.h"

#include <cmath>

namespace wb::kernels::cpu {
namespace {

template <class T>
void normRows(const RowNormArgs& args, int64_t begin, int64_t end) {
    const int64_t columns = args.x.shape[1];
    for (int64_t o = begin; o < end; ++o) {
        const T* x = args.x.as<T>() + o * columns;
        double squares = 0;
        for (int64_t i = 0; i < columns; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
        args.inverse.as<T>()[o] = squares > 0 ? static_cast<T>(1.0 / std::sqrt(squares)) : T{0};
    }
}

}  // namespace

void rowNorm(const Context& context, const RowNormArgs& args) {
    parallelFor(context, args.x.shape[0], args.x.shape[1], [&](int64_t begin, int64_t end) {
        args.x.dtype == DType::F64 ? normRows<double>(args, begin, end) : normRows<float>(args, begin, end);
    });
}

}  // namespace wb::kernels::cpu
