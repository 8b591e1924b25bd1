// SPDX-License-Identifier: Apache-2.0
// out = alpha x W^T + bias;  dX = alpha dOut W;  dW += alpha dOut^T x, dBias += column sums of dOut.
// Few rows wait for the weight alone and have kernels of their own (few_rows.cu); the rest is the library's.
#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/few_rows.h"
#include "kernels/cuda/gemm.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) addBiasKernel(float* out, const T* bias, int64_t columns, int64_t count) {
    const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i < count) out[i] += toFloat(bias[i % columns]);
}

// The library adds a bias of the type of the output only.
bool takesBias(const GemmProblem& problem) {
    return problem.inputs == problem.output;
}

void addBias(const Stream& stream, const GemmProblem& problem) {
    withType("linear", problem.inputs, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        const int64_t count = problem.m * problem.n;
        launch(stream, {blocksFor(count, kThreads), kThreads}, addBiasKernel<T>, static_cast<float*>(problem.c),
               static_cast<const T*>(problem.bias), problem.n, count);
    });
}

// The product of a dense output, also where there is nothing to sum.
void multiply(const Context& context, GemmProblem problem, void* workspace) {
    Stream& stream = streamOf(context);
    if (problem.k == 0) {
        if (problem.accumulates) return;
        const size_t bytes = dtypeBytes(problem.output, static_cast<size_t>(problem.m * problem.n));
        check(cudaMemsetAsync(problem.c, 0, bytes, stream.handle()), "clearing memory");
        return;
    }
    const bool isBiasApart = problem.bias != nullptr && !takesBias(problem);
    GemmProblem call = problem;
    if (isBiasApart) call.bias = nullptr;
    stream.gemm().multiply(stream, call, workspace);
    if (isBiasApart) addBias(stream, problem);
}

FewRowsProduct fewRowsProduct(const ConstView& x, const ConstView& weight, const ConstView& bias, const View& out,
                              float alpha, Write write) {
    return {.x = x.data,
            .weight = weight.data,
            .bias = bias.data,
            .out = out.data,
            .inputs = x.shape[1],
            .outputs = weight.shape[0],
            .rows = static_cast<int32_t>(x.shape[0]),
            .alpha = alpha,
            .accumulates = write == Write::Add,
            .isWide = out.dtype == DType::F32};
}

// Where the sums of dBias keep their partial ones, behind the scratch of the product.
size_t gemmPart(const LinearBackwardWeightArgs& args) {
    return alignedBytes(gemmWorkspaceBytes(args.dOut.shape[1], args.x.shape[1]));
}

}  // namespace

size_t linearForwardWorkspace(const Context& /*context*/, const LinearForwardArgs& args) {
    const int64_t rows = args.x.shape[0];
    return rows <= kIndependentRows ? 0 : gemmWorkspaceBytes(rows, args.weight.shape[0]);
}

size_t linearBackwardInputWorkspace(const Context& /*context*/, const LinearBackwardInputArgs& args) {
    return gemmWorkspaceBytes(args.dOut.shape[0], args.weight.shape[1]);
}

size_t linearBackwardWeightWorkspace(const Context& /*context*/, const LinearBackwardWeightArgs& args) {
    const size_t sums = args.dBias.isPresent() ? biasGradientBytes(args.dOut.shape[0], args.dOut.shape[1]) : 0;
    return gemmPart(args) + sums;
}

void linearForward(const Context& context, const LinearForwardArgs& args) {
    requireElements("linear_forward", args.weight);
    const int64_t rows = args.x.shape[0];
    const int64_t inputs = args.x.shape[1];
    const int64_t outputs = args.weight.shape[0];
    if (rows <= kIndependentRows) {
        const FewRowsProduct product = fewRowsProduct(args.x, args.weight, args.bias, args.out, args.alpha, args.write);
        return multiplyFewRows(streamOf(context), args.x.dtype, std::span(&product, 1));
    }
    multiply(context,
             {.m = rows,
              .n = outputs,
              .k = inputs,
              .a = args.x.data,
              .strideA = inputs,
              .b = args.weight.data,
              .strideB = inputs,
              .isTransposedB = true,
              .c = args.out.data,
              .strideC = outputs,
              .bias = args.bias.data,
              .inputs = args.x.dtype,
              .output = args.out.dtype,
              .alpha = args.alpha,
              .accumulates = args.write == Write::Add},
             args.workspace.data);
}

void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args) {
    requireElements("linear_backward_input", args.weight);
    const int64_t inputs = args.weight.shape[1];
    const int64_t outputs = args.weight.shape[0];
    multiply(context,
             {.m = args.dOut.shape[0],
              .n = inputs,
              .k = outputs,
              .a = args.dOut.data,
              .strideA = outputs,
              .b = args.weight.data,
              .strideB = inputs,
              .c = args.dX.data,
              .strideC = inputs,
              .inputs = args.dOut.dtype,
              .output = args.dX.dtype,
              .alpha = args.alpha,
              .accumulates = args.write == Write::Add},
             args.workspace.data);
}

void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args) {
    const int64_t tokens = args.dOut.shape[0];
    const int64_t outputs = args.dOut.shape[1];
    const int64_t inputs = args.x.shape[1];
    multiply(context,
             {.m = outputs,
              .n = inputs,
              .k = tokens,
              .a = args.dOut.data,
              .strideA = outputs,
              .isTransposedA = true,
              .b = args.x.data,
              .strideB = inputs,
              .c = args.dWeight.data,
              .strideC = inputs,
              .inputs = args.dOut.dtype,
              .output = args.dWeight.dtype,
              .alpha = args.alpha,
              .accumulates = args.write == Write::Add},
             args.workspace.data);
    if (!args.dBias.isPresent()) return;
    addBiasGradient(streamOf(context), args.dOut.data, args.dOut.dtype, tokens, outputs, outputs,
                    args.dBias.as<float>(), args.workspace.as<std::byte>() + gemmPart(args));
}

}  // namespace wb::kernels::cuda
