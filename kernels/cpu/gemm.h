// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/dtype.h"

#include <cstddef>
#include <cstdint>

namespace wb::kernels::cpu {

// C = alpha * A B + bias (+ C), row-major.  A [m, k], B [k, n], C [m, n], bias [n].
struct GemmProblem {
    int64_t m = 0;
    int64_t n = 0;
    int64_t k = 0;
    const void* a = nullptr;
    int64_t strideA = 0;         // elements between stored rows
    bool isTransposedA = false;  // A is stored as [k, m]
    const void* b = nullptr;
    int64_t strideB = 0;
    bool isTransposedB = false;  // B is stored as [n, k]
    void* c = nullptr;
    int64_t strideC = 0;
    const void* bias = nullptr;  // dtype of the inputs; null: none
    DType inputs = DType::F32;   // F32 or BF16
    DType output = DType::F32;   // F32, or BF16 for BF16 inputs
    float alpha = 1.0F;
    bool accumulates = false;
    int numThreads = 1;
};

// Scratch that gemm() needs for panels. Never shrinks when m, n, k or numThreads grows.
size_t gemmWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType inputs, DType output, int numThreads);

// Sums in F32, in an order that depends on the types and on k alone where the kernels of gemm_packed run, and on shapes
// and numThreads where those of oneDNN run. m or n may be 0; with k = 0 the product is zero.
void gemm(const GemmProblem& problem, void* workspace);

}  // namespace wb::kernels::cpu
