// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/cpu/cpu_ops.h"

#include <type_traits>
#include <vector>

namespace wb::kernels::cpu::reference {

// Type of sums, losses and weight gradients for a storage type.
template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

inline double widen(double value) {
    return value;
}
inline double widen(float value) {
    return value;
}
inline double widen(BFloat16 value) {
    return static_cast<double>(static_cast<float>(value));
}

template <class T>
T narrow(double value) {
    if constexpr (std::is_same_v<T, BFloat16>) {
        return BFloat16(static_cast<float>(value));
    } else {
        return static_cast<T>(value);
    }
}

// Calls f.operator()<T>() with the storage type of a computation dtype.
template <class F>
void withStorage(DType dtype, F&& f) {
    switch (dtype) {
        case DType::F64: return f.template operator()<double>();
        case DType::F32: return f.template operator()<float>();
        case DType::BF16: return f.template operator()<BFloat16>();
        default: break;
    }
    WB_CHECK(false, "the checks of the op let a type pass that it cannot compute with");
}

// Calls f(elements) with the weight's elements row by row; tiles of quantised blocks are widened to double.
template <class In, class F>
void withElements(const Context& context, const ConstView& weight, F&& f) {
    if (!isTiled(weight.dtype)) return f(weight.as<In>());
    std::vector<double> values(static_cast<size_t>(weight.shape.count()));
    cpu::dequantize(context, {.quantized = weight, .out = {values.data(), DType::F64, weight.shape}});
    f(static_cast<const double*>(values.data()));
}

}  // namespace wb::kernels::cpu::reference
