// SPDX-License-Identifier: Apache-2.0
// Matrix products through cuBLASLt. Matrices are row-major.
#pragma once

#include "kernels/cuda/stream.h"

#include <cublasLt.h>

#include <cstdint>

namespace wb::kernels::cuda {

// The products of one stream: the library's handle.
class Gemm {
public:
    Gemm();
    ~Gemm();
    Gemm(const Gemm&) = delete;
    Gemm& operator=(const Gemm&) = delete;

private:
    cublasLtHandle_t m_handle = nullptr;
};

}  // namespace wb::kernels::cuda
