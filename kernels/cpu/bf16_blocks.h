// SPDX-License-Identifier: Apache-2.0
// Blocks of matrices between BF16 and F32, for products that run in F32.
#pragma once

#include "kernels/base/float_formats.h"

#include <cstdint>

namespace wb::kernels::cpu {

// out [rows, columns], dense, from rows of `in` that lie `stride` elements apart.
void widenBlock(const BFloat16* in, int64_t stride, int64_t rows, int64_t columns, float* out, int numThreads);

// The way back, rounded to nearest even: in [rows, columns] is dense, rows of `out` lie `stride` elements apart.
void roundBlock(const float* in, int64_t rows, int64_t columns, BFloat16* out, int64_t stride, int numThreads);

}  // namespace wb::kernels::cpu
