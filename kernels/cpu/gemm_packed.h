// SPDX-License-Identifier: Apache-2.0
// Matrix products from packed panels in F32 registers, for every instruction set, input type and storage order.
#pragma once

#include "kernels/cpu/gemm.h"

namespace wb::kernels::cpu {

// Panels for `numThreads` threads, and an F32 copy of the output where BF16 output is summed in several blocks.
// Never shrinks when m, n, k or numThreads grows.
size_t gemmPackedWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType output, int numThreads);

// k > 0. Each element is a chain of multiply-adds over blocks of k whose bounds depend on k alone: its bits depend
// neither on m and n nor on the number of threads.
void gemmPacked(const GemmProblem& problem, void* workspace);

}  // namespace wb::kernels::cpu
