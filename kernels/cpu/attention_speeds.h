// SPDX-License-Identifier: Apache-2.0
// Speeds of the O(T) attention kernels of the CPU, measured once and kept: the picker measures nothing.
#pragma once

#include "kernels/base/dtype.h"

#include <cstdint>

namespace wb::kernels::cpu {

// GFLOP/s of both kernels at the measured point nearest to the question.
struct AttentionSpeeds {
    int64_t headDim = 0;
    int64_t length = 0;
    double flash = 0;
    double memoryEfficient = 0;
};

// For F32 and BF16 on the instruction sets that this process may use.
AttentionSpeeds measuredAttentionSpeeds(DType dtype, int64_t headDim, int64_t length, bool isBackward);

}  // namespace wb::kernels::cpu
