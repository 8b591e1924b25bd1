// SPDX-License-Identifier: Apache-2.0
// The one place that knows oneDNN (2.x).
#pragma once

#include "kernels/cpu/gemm.h"

namespace wb::kernels::cpu {

// k > 0; BF16 only where the processor multiplies it. Generated code is cached per calling thread and problem shape.
void gemmOneDnn(const GemmProblem& problem);

}  // namespace wb::kernels::cpu
