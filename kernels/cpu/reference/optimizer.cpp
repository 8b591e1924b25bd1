// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

#include <cmath>

namespace wb::kernels::cpu::reference {

void globalNorm(const Context& /*context*/, const GlobalNormArgs& args) {
    withStorage(args.out.dtype, [&]<class T>() {
        double sum = 0;
        for (const ConstView& tensor : args.tensors) {
            for (int64_t i = 0; i < tensor.shape.count(); ++i)
                sum += widen(tensor.as<T>()[i]) * widen(tensor.as<T>()[i]);
        }
        args.out.as<T>()[0] = narrow<T>(std::sqrt(sum));
    });
}

namespace {

template <class T>
void sweep(const AdamWArgs& args, const AdamWTensor& tensor, double gradientScale) {
    const double beta1 = static_cast<double>(args.beta1);
    const double beta2 = static_cast<double>(args.beta2);
    const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(args.step));
    const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(args.step));
    auto* m = tensor.m.as<Sum<T>>();
    auto* v = tensor.v.as<Sum<T>>();
    for (int64_t i = 0; i < tensor.parameter.shape.count(); ++i) {
        const double g = widen(tensor.gradient.as<Sum<T>>()[i]) * gradientScale;
        m[i] = static_cast<Sum<T>>(beta1 * widen(m[i]) + (1.0 - beta1) * g);
        v[i] = static_cast<Sum<T>>(beta2 * widen(v[i]) + (1.0 - beta2) * g * g);
        const double w =
            tensor.master.isPresent() ? widen(tensor.master.as<float>()[i]) : widen(tensor.parameter.as<T>()[i]);
        const double step =
            widen(m[i]) / correction1 / (std::sqrt(widen(v[i]) / correction2) + static_cast<double>(args.epsilon)) +
            static_cast<double>(tensor.weightDecay) * w;
        const double updated = w - static_cast<double>(args.learningRate) * step;
        if (tensor.master.isPresent()) tensor.master.as<float>()[i] = static_cast<float>(updated);
        tensor.parameter.as<T>()[i] = narrow<T>(updated);
    }
}

}  // namespace

void adamW(const Context& /*context*/, const AdamWArgs& args) {
    const double gradientScale =
        args.gradientScale.isPresent() ? static_cast<double>(*args.gradientScale.as<float>()) : 1.0;
    if (!std::isfinite(gradientScale)) return;
    for (const AdamWTensor& tensor : args.tensors) {
        withStorage(tensor.parameter.dtype, [&]<class T>() { sweep<T>(args, tensor, gradientScale); });
    }
}

}  // namespace wb::kernels::cpu::reference
