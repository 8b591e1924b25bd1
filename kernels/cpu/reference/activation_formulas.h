// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/activation.h"

#include <cmath>
#include <numbers>

namespace wb::kernels::cpu::reference {

struct ValueAndSlope {
    double value;
    double slope;
};

inline ValueAndSlope evaluate(Activation activation, double x) {
    switch (activation) {
        case Activation::Silu: {
            const double s = 1.0 / (1.0 + std::exp(-x));
            return {x * s, s * (1.0 + x * (1.0 - s))};
        }
        case Activation::Gelu: {
            const double cdf = 0.5 * std::erfc(-x / std::numbers::sqrt2);
            const double density = std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
            return {x * cdf, cdf + x * density};
        }
        case Activation::GeluTanh: {
            const double a = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // sqrt(2 / pi)
            const double t = std::tanh(a * (x + 0.044715 * x * x * x));
            return {0.5 * x * (1.0 + t),
                    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * a * (1.0 + 3.0 * 0.044715 * x * x)};
        }
        case Activation::Relu: return {x > 0 ? x : 0 * x, x > 0 ? 1.0 : 0.0};
        case Activation::Sigmoid: {
            const double s = 1.0 / (1.0 + std::exp(-x));
            return {s, s * (1.0 - s)};
        }
    }
    return {0, 0};
}

}  // namespace wb::kernels::cpu::reference
