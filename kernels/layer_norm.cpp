// SPDX-License-Identifier: Apache-2.0
#include "kernels/layer_norm.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void requireLike(std::string_view op, std::string_view name, const ConstView& view, const Shape& shape, DType dtype) {
    requireShape(op, name, view, shape);
    requireDtype(op, name, view, dtype);
}

void requireLikeIfPresent(std::string_view op, std::string_view name, const ConstView& view, const Shape& shape,
                          DType dtype) {
    if (view.isPresent()) requireLike(op, name, view, shape, dtype);
}

}  // namespace

void layerNormForward(const Context& context, const LayerNormForwardArgs& args) {
    constexpr std::string_view kOp = "layerNormForward";
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    const DType dtype = args.x.dtype;
    const DType sums = accumulatorDtype(dtype);
    const Shape shape = args.x.shape;
    const Shape perColumn{shape[1]};
    const Shape perRow{shape[0]};
    requireLike(kOp, "weight", args.weight, perColumn, dtype);
    requireLikeIfPresent(kOp, "bias", args.bias, perColumn, dtype);
    requireLike(kOp, "out", args.out, shape, dtype);
    if (args.residual.isPresent()) requirePresent(kOp, "sum", args.sum);
    requireLikeIfPresent(kOp, "residual", args.residual, shape, dtype);
    requireLikeIfPresent(kOp, "sum", args.sum, shape, dtype);
    if (args.mean.isPresent() || args.invStd.isPresent()) {
        requireLike(kOp, "mean", args.mean, perRow, sums);
        requireLike(kOp, "invStd", args.invStd, perRow, sums);
    }
    const int streams = 2 + (args.residual.isPresent() ? 1 : 0) + (args.sum.isPresent() ? 1 : 0);
    dispatch(context, context.ops->layerNormForward, args,
             {.flops = 7 * static_cast<double>(shape.count()), .bytes = streams * static_cast<double>(args.x.bytes())});
}

void layerNormBackward(const Context& context, const LayerNormBackwardArgs& args) {
    constexpr std::string_view kOp = "layerNormBackward";
    requireRank(kOp, "dOut", args.dOut, 2);
    requireComputeDtype(context, kOp, "dOut", args.dOut);
    const DType dtype = args.dOut.dtype;
    const DType sums = accumulatorDtype(dtype);
    const Shape shape = args.dOut.shape;
    const Shape perColumn{shape[1]};
    const Shape perRow{shape[0]};
    requireLike(kOp, "s", args.s, shape, dtype);
    requireLike(kOp, "weight", args.weight, perColumn, dtype);
    requireLike(kOp, "mean", args.mean, perRow, sums);
    requireLike(kOp, "invStd", args.invStd, perRow, sums);
    requireLikeIfPresent(kOp, "dResidual", args.dResidual, shape, dtype);
    requireLike(kOp, "dX", args.dX, shape, dtype);
    requireLikeIfPresent(kOp, "dWeight", args.dWeight, perColumn, sums);
    requireLikeIfPresent(kOp, "dBias", args.dBias, perColumn, sums);
    const int streams = 3 + (args.dResidual.isPresent() ? 1 : 0);
    dispatch(
        context, context.ops->layerNormBackward, args,
        {.flops = 13 * static_cast<double>(shape.count()), .bytes = streams * static_cast<double>(args.dOut.bytes())});
}

}  // namespace wb::kernels
