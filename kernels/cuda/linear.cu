// SPDX-License-Identifier: Apache-2.0
// out = alpha x W^T + bias;  dX = alpha dOut W;  dW += alpha dOut^T x, dBias += column sums of dOut.
// Few rows wait for the weight alone and have kernels of their own (few_rows.cu); the rest is the library's.
#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/dense_product.h"
#include "kernels/cuda/few_rows.h"
#include "kernels/cuda/tiled_product.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

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

size_t productWorkspace(const ConstView& weight, int64_t rows, int64_t columns, DType inputs) {
    if (isTiled(weight.dtype)) return tiledWorkspaceBytes(rows, weight.shape, inputs);
    return gemmWorkspaceBytes(rows, columns);
}

void multiply(const Context& context, const GemmProblem& problem, const ConstView& weight, const View& workspace) {
    Stream& stream = streamOf(context);
    if (isTiled(weight.dtype)) return multiplyTiled(stream, problem, weight, workspace.data);
    multiplyDense(stream, problem, workspace.data);
}

// Where the sums of dBias keep their partial ones, behind the scratch of the product.
size_t gemmPart(const LinearBackwardWeightArgs& args) {
    return alignedBytes(gemmWorkspaceBytes(args.dOut.shape[1], args.x.shape[1]));
}

}  // namespace

size_t linearForwardWorkspace(const Context& /*context*/, const LinearForwardArgs& args) {
    const int64_t rows = args.x.shape[0];
    if (rows <= kIndependentRows) return 0;
    return productWorkspace(args.weight, rows, args.weight.shape[0], args.x.dtype);
}

size_t linearBackwardInputWorkspace(const Context& /*context*/, const LinearBackwardInputArgs& args) {
    return productWorkspace(args.weight, args.dOut.shape[0], args.weight.shape[1], args.dOut.dtype);
}

size_t linearBackwardWeightWorkspace(const Context& /*context*/, const LinearBackwardWeightArgs& args) {
    const size_t sums = args.dBias.isPresent() ? biasGradientBytes(args.dOut.shape[0], args.dOut.shape[1]) : 0;
    return gemmPart(args) + sums;
}

void linearForward(const Context& context, const LinearForwardArgs& args) {
    const int64_t rows = args.x.shape[0];
    const int64_t inputs = args.x.shape[1];
    const int64_t outputs = args.weight.shape[0];
    if (rows <= kIndependentRows) {
        const FewRowsProduct product = fewRowsProduct(args.x, args.weight, args.bias, args.out, args.alpha, args.write);
        if (isTiled(args.weight.dtype)) {
            return multiplyFewRowsTiled(streamOf(context), args.x.dtype, args.weight.dtype, product);
        }
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
             args.weight, args.workspace);
}

void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args) {
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
             args.weight, args.workspace);
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
             args.x, args.workspace);
    if (!args.dBias.isPresent()) return;
    addBiasGradient(streamOf(context), args.dOut.data, args.dOut.dtype, tokens, outputs, outputs,
                    args.dBias.as<float>(), args.workspace.as<std::byte>() + gemmPart(args));
}

}  // namespace wb::kernels::cuda
