// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/philox.h"
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>

namespace wb::kernels::cpu::reference {

void add(const Context& /*context*/, const AddArgs& args) {
    withStorage(args.a.dtype, [&]<class T>() {
        for (int64_t i = 0; i < args.a.shape.count(); ++i) {
            args.out.as<T>()[i] = narrow<T>(widen(args.a.as<T>()[i]) + widen(args.b.as<T>()[i]));
        }
    });
}

void scale(const Context& /*context*/, const ScaleArgs& args) {
    const double factor = static_cast<double>(args.factor);
    withStorage(args.x.dtype, [&]<class In>() {
        withStorage(args.out.dtype, [&]<class Out>() {
            for (int64_t i = 0; i < args.x.shape.count(); ++i) {
                double value = factor * widen(args.x.as<In>()[i]);
                if (args.accumulates) value += widen(args.out.as<Out>()[i]);
                args.out.as<Out>()[i] = narrow<Out>(value);
            }
        });
    });
}

void softCap(const Context& /*context*/, const SoftCapArgs& args) {
    const double cap = static_cast<double>(args.cap);
    withStorage(args.x.dtype, [&]<class T>() {
        for (int64_t i = 0; i < args.x.shape.count(); ++i) {
            args.out.as<T>()[i] = narrow<T>(cap * std::tanh(widen(args.x.as<T>()[i]) / cap));
        }
    });
}

void dropout(const Context& /*context*/, const DropoutArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        const double keepScale = 1.0 / (1.0 - static_cast<double>(args.p));
        for (int64_t i = 0; i < args.x.shape.count(); ++i) {
            const float draw = philoxUnit(philoxWord(args.seed, args.offset + static_cast<uint64_t>(i)));
            args.out.as<T>()[i] = narrow<T>(draw < args.p ? 0.0 : widen(args.x.as<T>()[i]) * keepScale);
        }
    });
}

}  // namespace wb::kernels::cpu::reference
