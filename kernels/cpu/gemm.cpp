// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gemm.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/gemm_onednn.h"
#include "kernels/cpu/gemm_packed.h"

#include <algorithm>

namespace wb::kernels::cpu {
namespace {

void zeroOutput(const GemmProblem& p) {
    const size_t width = p.output == DType::BF16 ? sizeof(BFloat16) : sizeof(float);
    for (int64_t i = 0; i < p.m; ++i) {
        std::fill_n(static_cast<std::byte*>(p.c) + static_cast<size_t>(i * p.strideC) * width,
                    static_cast<size_t>(p.n) * width, std::byte{0});
    }
}

bool usesOneDnn(DType inputs) {
    return inputs == DType::BF16 && cpuFeatures().hasNativeBf16;
}

}  // namespace

size_t gemmWorkspaceBytes(int64_t m, int64_t n, int64_t k, DType inputs, DType output, int numThreads) {
    return usesOneDnn(inputs) ? 0 : gemmPackedWorkspaceBytes(m, n, k, output, numThreads);
}

void gemm(const GemmProblem& problem, void* workspace) {
    if (problem.m == 0 || problem.n == 0) return;
    if (problem.k == 0) {
        WB_CHECK(problem.bias == nullptr, "a product over no elements takes no bias");
        if (!problem.accumulates) zeroOutput(problem);
    } else if (usesOneDnn(problem.inputs)) {
        gemmOneDnn(problem);
    } else {
        gemmPacked(problem, workspace);
    }
}

}  // namespace wb::kernels::cpu
