// SPDX-License-Identifier: Apache-2.0
// Products with weights in tiles of quantised blocks (Q8_0x16, Q4_0x16, NF4x16).
#pragma once

#include "kernels/cpu/gemm.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

namespace wb::kernels::cpu {

// out = alpha * x W^T + bias (+ out).  x [rows, K], weight [N, K] tiles, bias [N] dtype of x, out [rows, N].
struct QuantizedProblem {
    int64_t rows = 0;
    const void* x = nullptr;
    DType inputs = DType::F32;  // F32 or BF16
    ConstView weight;
    const void* bias = nullptr;  // null: none
    void* out = nullptr;
    DType output = DType::F32;  // F32, or BF16 for BF16 inputs
    int64_t strideOut = 0;
    float alpha = 1.0F;
    bool accumulates = false;
};

// Room for x in blocks of bytes.
size_t quantizedWorkspaceBytes(int64_t rows, int64_t columns);

// x is rounded to signed bytes in blocks of 32 with a scale each: max|block| / 127. That is the only inexact step
// besides F32 sums; it costs about 0.5 % of the length of a row of the result where weights and x are like noise. Sums
// run over blocks in order, so that the bits of a row depend neither on other rows, however many, nor on threads, nor
// on the instruction set. A block of x with a value that is not finite makes its row NaN.
void multiplyQuantized(const Context& context, const QuantizedProblem& problem, void* workspace);

// C = alpha * A W (+ C) with W [K, N] tiles in place of B. Columns of W are widened to the type of A a panel at a time.
size_t widenedWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType inputs, DType output, int numThreads);
void multiplyWidened(const Context& context, const GemmProblem& problem, const ConstView& weight, void* workspace);

}  // namespace wb::kernels::cpu
