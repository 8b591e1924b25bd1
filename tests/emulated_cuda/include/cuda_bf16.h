// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/float_formats.h"

struct __nv_bfloat16 {
    wb::BFloat16 value;

    __nv_bfloat16() = default;
    __nv_bfloat16(float wide) : value(wide) {}  // NOLINT: as CUDA's
};
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

inline float __bfloat162float(__nv_bfloat16 x) {
    return static_cast<float>(x.value);
}
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
    return {x};
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
    return {x, y};
}
