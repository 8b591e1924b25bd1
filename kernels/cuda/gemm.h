// SPDX-License-Identifier: Apache-2.0
// Matrix products through cuBLASLt. Matrices are row-major.
#pragma once

#include "kernels/cuda/stream.h"

#include <cublasLt.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

namespace wb::kernels::cuda {

// c = alpha op(a) op(b) + bias (+ c), `batch` times. Sums are F32: products of F32 operands are true F32, not TF32.
struct GemmProblem {
    int64_t m = 0;
    int64_t n = 0;
    int64_t k = 0;
    const void* a = nullptr;  // [m, k]; [k, m] where transposed
    int64_t strideA = 0;      // elements from row to row
    bool isTransposedA = false;
    const void* b = nullptr;  // [k, n]; [n, k] where transposed
    int64_t strideB = 0;
    bool isTransposedB = false;
    void* c = nullptr;  // [m, n]
    int64_t strideC = 0;
    const void* bias = nullptr;  // [n] in the type of c; null: none
    DType inputs = DType::F32;   // of a and b: F32, BF16, F16
    DType output = DType::F32;   // `inputs`, or F32
    float alpha = 1.0F;
    bool accumulates = false;
    int64_t batch = 1;
    int64_t batchStrideA = 0;  // elements from matrix to matrix
    int64_t batchStrideB = 0;
    int64_t batchStrideC = 0;
};

// Scratch for a product with an output of [m, n]: partial sums of a product cut along k. The same on every device.
size_t gemmWorkspaceBytes(int64_t m, int64_t n, int64_t batch = 1);

// The products of one stream: the library's handle and, for each kind of problem met, the algorithm that the library
// recommended first. Algorithms are not timed against each other: a choice by stopwatch would change the bits of a run
// from one start to the next. Those that add partial sums in the type of the output are left out.
class Gemm {
public:
    Gemm();
    ~Gemm();
    Gemm(const Gemm&) = delete;
    Gemm& operator=(const Gemm&) = delete;

    // workspace: at least gemmWorkspaceBytes(m, n, batch), aligned to 16 bytes. Throws Device if the library has no
    // algorithm.
    void multiply(const Stream& stream, const GemmProblem& problem, void* workspace);

private:
    // All that the choice depends on: sizes, strides, types, layouts, alignments.
    using Key = std::array<int64_t, 19>;
    struct Plan {
        cublasLtMatmulDescOpaque_t operation;
        cublasLtMatrixLayoutOpaque_t a, b, c;  // of the problem, not of the library's swapped order
        cublasLtMatmulAlgo_t algorithm;
        size_t workspaceBytes;
    };

    static Key keyOf(const GemmProblem& problem);
    Plan& planOf(const GemmProblem& problem);
    Plan makePlan(const GemmProblem& problem) const;

    cublasLtHandle_t m_handle = nullptr;
    std::map<Key, Plan> m_plans;
};

}  // namespace wb::kernels::cuda
