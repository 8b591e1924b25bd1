// SPDX-License-Identifier: Apache-2.0
// Products of few rows, which wait for the weight and for nothing else: decoding.
#pragma once

#include "kernels/cuda/stream.h"
#include "kernels/linear.h"

#include <cstdint>
#include <span>

namespace wb::kernels::cuda {

// out = alpha x W^T + bias (+ out).  x [rows, inputs], weight [outputs, inputs], bias [outputs] or null: one type, F32,
// BF16 or F16; out [rows, outputs] of that type or F32.
struct FewRowsProduct {
    const void* x = nullptr;
    const void* weight = nullptr;
    const void* bias = nullptr;
    void* out = nullptr;
    int64_t inputs = 0;
    int64_t outputs = 0;
    int32_t rows = 0;  // at most kIndependentRows
    float alpha = 1.0F;
    bool accumulates = false;
    bool isWide = false;  // out is F32
};

// All products in one launch (one for every kMaxProducts). They may run at the same time: none reads or writes what
// another writes. The bits of an element follow from its row of x, its row of the weight and nothing else.
void multiplyFewRows(const Stream& stream, DType inputs, std::span<const FewRowsProduct> products);

}  // namespace wb::kernels::cuda
