// SPDX-License-Identifier: Apache-2.0
// out = alpha x W^T + bias;  dX = alpha dOut W;  dW += alpha dOut^T x, dBias += column sums of dOut
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/gemv.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/cpu/reference/reference_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "kernels/cpu/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void sumColumns(const LinearBackwardWeightArgs& args, int64_t begin, int64_t end) {
    const FloatTag d;
    const auto columns = static_cast<size_t>(args.dOut.shape[1]);
    float* dBias = args.dBias.as<float>() + begin;
    for (int64_t t = 0; t < args.dOut.shape[0]; ++t) {
        const T* row = args.dOut.as<T>() + static_cast<size_t>(t) * columns + static_cast<size_t>(begin);
        forVectors(static_cast<size_t>(end - begin), hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
            store(hn::Add(load(d, dBias + i, part), load(d, row + i, part)), d, dBias + i, part);
        });
    }
}

}  // namespace

// Columns [begin, end), all rows in order.
void BiasColumns(const LinearBackwardWeightArgs& args, int64_t begin, int64_t end) {
    if (args.dOut.dtype == DType::BF16) {
        sumColumns<BFloat16>(args, begin, end);
    } else {
        sumColumns<float>(args, begin, end);
    }
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {

HWY_EXPORT(BiasColumns);

size_t linearForwardWorkspace(const Context& context, const LinearForwardArgs& args) {
    const int64_t rows = args.x.shape[0];
    if (isTiled(args.weight.dtype)) return quantizedWorkspaceBytes(rows, args.x.shape[1]);
    if (rows <= kIndependentRows) return 0;  // few rows read the weight where it is
    return gemmWorkspaceBytes(rows, args.weight.shape[0], args.x.shape[1], args.x.dtype, args.out.dtype,
                              context.numThreads);
}

size_t linearBackwardInputWorkspace(const Context& context, const LinearBackwardInputArgs& args) {
    const auto bytes = isTiled(args.weight.dtype) ? widenedWorkspaceBytes : gemmWorkspaceBytes;
    return bytes(args.dOut.shape[0], args.weight.shape[1], args.dOut.shape[1], args.dOut.dtype, args.dX.dtype,
                 context.numThreads);
}

size_t linearBackwardWeightWorkspace(const Context& context, const LinearBackwardWeightArgs& args) {
    return gemmWorkspaceBytes(args.dOut.shape[1], args.x.shape[1], args.dOut.shape[0], args.dOut.dtype,
                              args.dWeight.dtype, context.numThreads);
}

void linearForward(const Context& context, const LinearForwardArgs& args) {
    if (args.x.dtype == DType::F64) return reference::linearForward(context, args);
    const int64_t rows = args.x.shape[0];
    const int64_t inputs = args.x.shape[1];
    const int64_t outputs = args.weight.shape[0];
    if (isTiled(args.weight.dtype)) {
        return multiplyQuantized(context,
                                 {.rows = rows,
                                  .x = args.x.data,
                                  .inputs = args.x.dtype,
                                  .weight = args.weight,
                                  .bias = args.bias.data,
                                  .out = args.out.data,
                                  .output = args.out.dtype,
                                  .strideOut = outputs,
                                  .alpha = args.alpha,
                                  .accumulates = args.write == Write::Add},
                                 args.workspace.data);
    }
    if (rows <= kIndependentRows) {
        const LinearPart part{args.weight, args.bias, args.out, args.alpha, args.write};
        return gemv(context, args.x, std::span(&part, 1));
    }
    const GemmProblem problem{
        .m = rows,
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
        .accumulates = args.write == Write::Add,
        .numThreads = context.numThreads,
    };
    gemm(problem, args.workspace.data);
}

void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args) {
    if (args.dOut.dtype == DType::F64) return reference::linearBackwardInput(context, args);
    const int64_t inputs = args.weight.shape[1];
    const int64_t outputs = args.weight.shape[0];
    const GemmProblem problem{
        .m = args.dOut.shape[0],
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
        .accumulates = args.write == Write::Add,
        .numThreads = context.numThreads,
    };
    if (isTiled(args.weight.dtype)) return multiplyWidened(context, problem, args.weight, args.workspace.data);
    gemm(problem, args.workspace.data);
}

void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args) {
    if (args.dOut.dtype == DType::F64) return reference::linearBackwardWeight(context, args);
    const int64_t tokens = args.dOut.shape[0];
    const int64_t outputs = args.dOut.shape[1];
    const int64_t inputs = args.x.shape[1];
    const GemmProblem problem{
        .m = outputs,
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
        .output = DType::F32,
        .alpha = args.alpha,
        .accumulates = args.write == Write::Add,
        .numThreads = context.numThreads,
    };
    gemm(problem, args.workspace.data);
    if (!args.dBias.isPresent()) return;
    constexpr int64_t kStrip = 64;
    parallelFor(context, (outputs + kStrip - 1) / kStrip, kStrip * tokens, [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(BiasColumns)(args, begin * kStrip, std::min(end * kStrip, outputs));
    });
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
