// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/activation_formulas.h"
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {
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
