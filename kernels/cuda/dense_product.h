// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gemm.h"

namespace wb::kernels::cuda {

// The product of any problem of one batch that Gemm takes, and beyond: a bias of the type of the inputs where c is F32,
// and a sum of nothing (k = 0; without bias, strideC = n). Workspace as in Gemm::multiply.
void multiplyDense(Stream& stream, const GemmProblem& problem, void* workspace);

}  // namespace wb::kernels::cuda
