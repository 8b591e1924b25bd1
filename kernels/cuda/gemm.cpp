// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gemm.h"

#include <string>

namespace wb::kernels::cuda {
namespace {

void checkBlas(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error{ErrorCode::Device, std::string("cuBLASLt: ") + what + " failed: " + cublasLtGetStatusString(status)};
}

}  // namespace

Gemm::Gemm() {
    checkBlas(cublasLtCreate(&m_handle), "making a handle");
}

Gemm::~Gemm() {
    cublasLtDestroy(m_handle);
}

}  // namespace wb::kernels::cuda
