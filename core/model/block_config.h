// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gated_activation.h"
#include "kernels/rotary.h"

#include <cstdint>

namespace wb::core {

// What the decoder block needs to know about one layer. Families differ in these values, not in code.
struct BlockConfig {
    int64_t hidden = 0;
    int64_t ffn = 0;
    int64_t numHeads = 0;
    int64_t numKvHeads = 0;
    int64_t headDim = 0;
    float normEps = 1e-5F;
    kernels::Activation activation = kernels::Activation::Silu;
    kernels::RotaryLayout rotaryLayout = kernels::RotaryLayout::Half;
    float rotaryMagnitude = 1.0F;
    bool hasQkvBias = false;
    bool hasOutputBias = false;
    bool hasMlpBias = false;
    int64_t window = 0;  // keys a query sees, itself included; 0: all
};

}  // namespace wb::core
