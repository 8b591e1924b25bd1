// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/dense_product.h"

#include "kernels/cuda/device.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

// Block row blockIdx.y of c.
template <class T>
__global__ void __launch_bounds__(kThreads) addBiasKernel(float* c, int64_t stride, const T* bias, int64_t columns) {
    const int64_t column = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (column < columns) c[blockIdx.y * stride + column] += toFloat(bias[column]);
}

void addBias(const Stream& stream, const GemmProblem& problem) {
    constexpr int64_t kMaxRows = 65535;  // of a grid
    withType("linear", problem.inputs, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        for (int64_t row = 0; row < problem.m; row += kMaxRows) {
            const auto rows = static_cast<unsigned>(std::min(kMaxRows, problem.m - row));
            launch(stream, {dim3(blocksFor(problem.n, kThreads), rows), kThreads}, addBiasKernel<T>,
                   static_cast<float*>(problem.c) + row * problem.strideC, problem.strideC,
                   static_cast<const T*>(problem.bias), problem.n);
        }
    });
}

}  // namespace

void multiplyDense(Stream& stream, const GemmProblem& problem, void* workspace) {
    if (problem.k == 0) {
        if (problem.accumulates) return;
        const size_t bytes = dtypeBytes(problem.output, static_cast<size_t>(problem.m * problem.n));
        return check(cudaMemsetAsync(problem.c, 0, bytes, stream.handle()), "clearing memory");
    }
    // The library adds a bias of the type of the output only.
    const bool isBiasApart = problem.bias != nullptr && problem.inputs != problem.output;
    GemmProblem call = problem;
    if (isBiasApart) call.bias = nullptr;
    stream.gemm().multiply(stream, call, workspace);
    if (isBiasApart) addBias(stream, problem);
}

}  // namespace wb::kernels::cuda
