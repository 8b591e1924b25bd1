// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>

namespace wb::kernels::cpu::reference {

void rotary(const Context& /*context*/, const RotaryArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        const int64_t heads = args.x.shape[1];
        const int64_t headDim = args.x.shape[2];
        const int64_t pairs = args.frequencies.shape[0];
        const bool isHalf = args.layout == RotaryLayout::Half;
        const double sign = args.direction == RotaryDirection::Forward ? 1.0 : -1.0;
        for (int64_t t = 0; t < args.x.shape[0]; ++t) {
            for (int64_t h = 0; h < heads; ++h) {
                const T* x = args.x.as<T>() + (t * heads + h) * headDim;
                T* out = args.out.as<T>() + (t * heads + h) * headDim;
                for (int64_t i = 0; i < pairs; ++i) {
                    const int64_t first = isHalf ? i : 2 * i;
                    const int64_t second = isHalf ? i + pairs : 2 * i + 1;
                    const double angle = static_cast<double>(args.positions.as<int32_t>()[t]) *
                                         static_cast<double>(args.frequencies.as<float>()[i]);
                    const double cosine = std::cos(angle) * static_cast<double>(args.magnitude);
                    const double sine = sign * std::sin(angle) * static_cast<double>(args.magnitude);
                    const double a = widen(x[first]);
                    const double b = widen(x[second]);
                    out[first] = narrow<T>(a * cosine - b * sine);
                    out[second] = narrow<T>(b * cosine + a * sine);
                }
                for (int64_t d = 2 * pairs; d < headDim; ++d) out[d] = x[d];
            }
        }
    });
}

}  // namespace wb::kernels::cpu::reference
