// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/activation_formulas.h"
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {

void activationForward(const Context& /*context*/, const ActivationForwardArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        for (int64_t i = 0; i < args.x.shape.count(); ++i) {
            args.out.as<T>()[i] = narrow<T>(evaluate(args.activation, widen(args.x.as<T>()[i])).value);
        }
    });
}

void activationBackward(const Context& /*context*/, const ActivationBackwardArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        for (int64_t i = 0; i < args.x.shape.count(); ++i) {
            const double slope = evaluate(args.activation, widen(args.x.as<T>()[i])).slope;
            args.dX.as<T>()[i] = narrow<T>(widen(args.dOut.as<T>()[i]) * slope);
        }
    });
}

}  // namespace wb::kernels::cpu::reference
