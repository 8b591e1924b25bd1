// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>
#include <numbers>

namespace wb::kernels::cpu::reference {
namespace {

struct ValueAndSlope {
    double value;
    double slope;
};

ValueAndSlope evaluate(Activation activation, double x) {
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
    }
    return {0, 0};
}

}  // namespace

void gatedActivationForward(const Context& /*context*/, const GatedActivationForwardArgs& args) {
    withStorage(args.gate.dtype, [&]<class T>() {
        for (int64_t i = 0; i < args.gate.shape.count(); ++i) {
            const double value = evaluate(args.activation, widen(args.gate.as<T>()[i])).value;
            args.out.as<T>()[i] = narrow<T>(value * widen(args.up.as<T>()[i]));
        }
    });
}

void gatedActivationBackward(const Context& /*context*/, const GatedActivationBackwardArgs& args) {
    withStorage(args.gate.dtype, [&]<class T>() {
        for (int64_t i = 0; i < args.gate.shape.count(); ++i) {
            const auto [value, slope] = evaluate(args.activation, widen(args.gate.as<T>()[i]));
            const double up = widen(args.up.as<T>()[i]);
            const double dOut = widen(args.dOut.as<T>()[i]);
            args.dGate.as<T>()[i] = narrow<T>(dOut * up * slope);
            args.dUp.as<T>()[i] = narrow<T>(dOut * value);
        }
    });
}

}  // namespace wb::kernels::cpu::reference
