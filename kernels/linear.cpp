// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

struct ProductShape {
    int64_t m, n, k;
};

OpCost costOf(ProductShape p, double readBytes, double writtenBytes) {
    return {.flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k),
            .bytes = readBytes + writtenBytes};
}

double bytesOf(const ConstView& view) {
    return static_cast<double>(view.bytes());
}

void requireOutputDtype(std::string_view op, std::string_view name, const ConstView& out, DType inputs) {
    if (out.dtype == accumulatorDtype(inputs)) return;
    requireDtype(op, name, out, inputs);
}

void requireWeightDtype(std::string_view op, const ConstView& weight, DType inputs) {
    if (!isTiled(weight.dtype)) requireDtype(op, "weight", weight, inputs);
}

}  // namespace

void linearForward(const Context& context, const LinearForwardArgs& args) {
    constexpr std::string_view kOp = "linearForward";
    requireRank(kOp, "x", args.x, 2);
    requireRank(kOp, "weight", args.weight, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    const ProductShape p{args.x.shape[0], args.weight.shape[0], args.x.shape[1]};
    requireShape(kOp, "weight", args.weight, Shape{p.n, p.k});
    requireWeightDtype(kOp, args.weight, args.x.dtype);
    requireShape(kOp, "out", args.out, Shape{p.m, p.n});
    requireOutputDtype(kOp, "out", args.out, args.x.dtype);
    if (args.bias.isPresent()) {
        requireShape(kOp, "bias", args.bias, Shape{p.n});
        requireDtype(kOp, "bias", args.bias, args.x.dtype);
    }
    dispatch(context, context.ops->linearForward, args,
             costOf(p, bytesOf(args.x) + bytesOf(args.weight), bytesOf(args.out)));
}

void linearBackwardInput(const Context& context, const LinearBackwardInputArgs& args) {
    constexpr std::string_view kOp = "linearBackwardInput";
    requireRank(kOp, "dOut", args.dOut, 2);
    requireRank(kOp, "weight", args.weight, 2);
    requireComputeDtype(context, kOp, "dOut", args.dOut);
    const ProductShape p{args.dOut.shape[0], args.weight.shape[1], args.dOut.shape[1]};
    requireShape(kOp, "weight", args.weight, Shape{p.k, p.n});
    requireWeightDtype(kOp, args.weight, args.dOut.dtype);
    requireShape(kOp, "dX", args.dX, Shape{p.m, p.n});
    requireOutputDtype(kOp, "dX", args.dX, args.dOut.dtype);
    dispatch(context, context.ops->linearBackwardInput, args,
             costOf(p, bytesOf(args.dOut) + bytesOf(args.weight), bytesOf(args.dX)));
}

void linearBackwardWeight(const Context& context, const LinearBackwardWeightArgs& args) {
    constexpr std::string_view kOp = "linearBackwardWeight";
    requireRank(kOp, "dOut", args.dOut, 2);
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "dOut", args.dOut);
    const ProductShape p{args.dOut.shape[1], args.x.shape[1], args.dOut.shape[0]};
    const DType sums = accumulatorDtype(args.dOut.dtype);
    requireShape(kOp, "x", args.x, Shape{p.k, p.n});
    requireDtype(kOp, "x", args.x, args.dOut.dtype);
    requireShape(kOp, "dWeight", args.dWeight, Shape{p.m, p.n});
    requireDtype(kOp, "dWeight", args.dWeight, sums);
    if (args.dBias.isPresent()) {
        requireShape(kOp, "dBias", args.dBias, Shape{p.m});
        requireDtype(kOp, "dBias", args.dBias, sums);
    }
    dispatch(context, context.ops->linearBackwardWeight, args,
             costOf(p, bytesOf(args.dOut) + bytesOf(args.x), 2 * bytesOf(args.dWeight)));
}

}  // namespace wb::kernels
