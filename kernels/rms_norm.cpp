// SPDX-License-Identifier: Apache-2.0
#include "kernels/rms_norm.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {

void rmsNormForward(const Context& context, const RmsNormForwardArgs& args) {
    constexpr std::string_view kOp = "rmsNormForward";
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    const DType dtype = args.x.dtype;
    const Shape shape = args.x.shape;
    requireShape(kOp, "weight", args.weight, Shape{shape[1]});
    requireDtype(kOp, "weight", args.weight, dtype);
    requireShape(kOp, "out", args.out, shape);
    requireDtype(kOp, "out", args.out, dtype);
    if (args.residual.isPresent()) {
        requireShape(kOp, "residual", args.residual, shape);
        requireDtype(kOp, "residual", args.residual, dtype);
        requirePresent(kOp, "sum", args.sum);
    }
    if (args.sum.isPresent()) {
        requireShape(kOp, "sum", args.sum, shape);
        requireDtype(kOp, "sum", args.sum, dtype);
    }
    if (args.invRms.isPresent()) {
        requireShape(kOp, "invRms", args.invRms, Shape{shape[0]});
        requireDtype(kOp, "invRms", args.invRms, accumulatorDtype(dtype));
    }
    const auto count = static_cast<double>(shape.count());
    const int streams = 2 + (args.residual.isPresent() ? 1 : 0) + (args.sum.isPresent() ? 1 : 0);
    dispatch(context, context.ops->rmsNormForward, args,
             {.flops = 4 * count, .bytes = streams * static_cast<double>(args.x.bytes())});
}

void rmsNormBackward(const Context& context, const RmsNormBackwardArgs& args) {
    constexpr std::string_view kOp = "rmsNormBackward";
    requireRank(kOp, "dOut", args.dOut, 2);
    requireComputeDtype(context, kOp, "dOut", args.dOut);
    const DType dtype = args.dOut.dtype;
    const Shape shape = args.dOut.shape;
    const DType sums = accumulatorDtype(dtype);
    requireShape(kOp, "s", args.s, shape);
    requireDtype(kOp, "s", args.s, dtype);
    requireShape(kOp, "weight", args.weight, Shape{shape[1]});
    requireDtype(kOp, "weight", args.weight, dtype);
    requireShape(kOp, "invRms", args.invRms, Shape{shape[0]});
    requireDtype(kOp, "invRms", args.invRms, sums);
    requireShape(kOp, "dX", args.dX, shape);
    requireDtype(kOp, "dX", args.dX, dtype);
    if (args.dResidual.isPresent()) {
        requireShape(kOp, "dResidual", args.dResidual, shape);
        requireDtype(kOp, "dResidual", args.dResidual, dtype);
    }
    if (args.dWeight.isPresent()) {
        requireShape(kOp, "dWeight", args.dWeight, Shape{shape[1]});
        requireDtype(kOp, "dWeight", args.dWeight, sums);
    }
    const auto count = static_cast<double>(shape.count());
    const int streams = 3 + (args.dResidual.isPresent() ? 1 : 0);
    dispatch(context, context.ops->rmsNormBackward, args,
             {.flops = 9 * count, .bytes = streams * static_cast<double>(args.dOut.bytes())});
}

}  // namespace wb::kernels
