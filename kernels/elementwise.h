// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cstdint>

namespace wb::kernels {

// out = a + b.  All the same shape and dtype (F32/BF16/F64); out may alias either.
struct AddArgs {
    ConstView a;
    ConstView b;
    View out;
};
void add(const Context& context, const AddArgs& args);

// out = factor * x (+ out with Accumulate).  Same shape; x F32/BF16/F64, out the same dtype or F32.
struct ScaleArgs {
    ConstView x;
    View out;
    float factor = 1.0F;
    bool accumulates = false;
};
void scale(const Context& context, const ScaleArgs& args);

// out = cap * tanh(x / cap): nearly x near zero, never beyond cap.  Same shape and dtype (F32/BF16/F64), may alias;
// cap > 0.
struct SoftCapArgs {
    ConstView x;
    View out;
    float cap = 0.0F;
};
void softCap(const Context& context, const SoftCapArgs& args);

// out = value everywhere.  F32/BF16/F64, I32, I8, U8.
struct FillArgs {
    View out;
    float value = 0.0F;
};
void fill(const Context& context, const FillArgs& args);

// Copies with conversion between F32, BF16, F16 and F64, rounding to nearest even.
struct CastArgs {
    ConstView x;
    View out;
};
void cast(const Context& context, const CastArgs& args);

// Zeroes each element with probability p and scales the others by 1/(1-p). Element i uses draw (offset + i) of the
// counter generator Philox4x32-10 (Salmon et al. 2011) with key `seed`: no mask is stored, backward is the same call on
// the gradient.  x, out F32/BF16/F64, may alias; p in [0, 1).
struct DropoutArgs {
    ConstView x;
    View out;
    float p = 0.0F;
    uint64_t seed = 0;
    uint64_t offset = 0;
};
void dropout(const Context& context, const DropoutArgs& args);

}  // namespace wb::kernels
