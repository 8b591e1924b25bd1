// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/stream.h"

#include <cstddef>
#include <cstdint>

namespace wb::kernels::cuda {

// Scratch of addBiasGradient, aligned as a workspace is; grows with rows.
size_t biasGradientBytes(int64_t rows, int64_t columns);

// sums[c] += sum over r of matrix[r, c], in a fixed order.  matrix: F32, BF16 or F16, `stride` elements from row to
// row; sums F32.
void addBiasGradient(const Stream& stream, const void* matrix, DType dtype, int64_t rows, int64_t columns,
                     int64_t stride, float* sums, void* workspace);

}  // namespace wb::kernels::cuda
