// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/float_formats.h"

struct __half {
    wb::Float16 value;

    __half() = default;
    __half(float wide) : value(wide) {}  // NOLINT: as CUDA's
};
struct alignas(4) __half2 {
    __half x, y;
};

inline float __half2float(__half x) {
    return static_cast<float>(x.value);
}
inline __half __float2half_rn(float x) {
    return {x};
}
inline __half2 __floats2half2_rn(float x, float y) {
    return {x, y};
}
