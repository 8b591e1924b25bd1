// SPDX-License-Identifier: Apache-2.0
// What kernels/cuda/gemm.cpp uses of cuBLASLt, for the emulated GPU.
#pragma once

#include "tests/emulated_cuda/include/emulated_runtime.h"

#include <cstddef>
#include <cstdint>

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_NOT_SUPPORTED = 15 };
struct cublasLtContext;
using cublasLtHandle_t = cublasLtContext*;

const char* cublasLtGetStatusString(cublasStatus_t status);
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle);
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle);
