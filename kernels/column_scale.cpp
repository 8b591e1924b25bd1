// SPDX-License-Identifier: Apache-2.0
#include "kernels/column_scale.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void requireColumns(std::string_view op, std::string_view name, const ConstView& view, int64_t columns, DType dtype) {
    if (!view.isPresent()) return;
    requireShape(op, name, view, Shape{columns});
    requireDtype(op, name, view, dtype);
}

void requireRows(std::string_view op, std::string_view name, const ConstView& view, const ConstView& like) {
    if (!view.isPresent()) return;
    requireShape(op, name, view, like.shape);
    requireDtype(op, name, view, like.dtype);
}

}  // namespace

void columnScaleForward(const Context& context, const ColumnScaleForwardArgs& args) {
    constexpr std::string_view kOp = "columnScaleForward";
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    requireShape(kOp, "out", args.out, args.x.shape);
    if (args.out.dtype != DType::F32 || args.x.dtype == DType::F64) requireDtype(kOp, "out", args.out, args.x.dtype);
    requireColumns(kOp, "gain", args.gain, args.x.shape[1], accumulatorDtype(args.x.dtype));
    requireColumns(kOp, "bias", args.bias, args.x.shape[1], args.x.dtype);
    const double reads = args.accumulates ? 2 : 1;
    dispatch(context, context.ops->columnScaleForward, args,
             {.flops = 2 * static_cast<double>(args.x.shape.count()),
              .bytes = static_cast<double>(args.x.bytes()) + reads * static_cast<double>(args.out.bytes())});
}

void columnScaleBackward(const Context& context, const ColumnScaleBackwardArgs& args) {
    constexpr std::string_view kOp = "columnScaleBackward";
    requireRank(kOp, "dOut", args.dOut, 2);
    requireComputeDtype(context, kOp, "dOut", args.dOut);
    const DType sums = accumulatorDtype(args.dOut.dtype);
    const int64_t columns = args.dOut.shape[1];
    requireRows(kOp, "x", args.x, args.dOut);
    requireRows(kOp, "dX", args.dX, args.dOut);
    requireColumns(kOp, "gain", args.gain, columns, sums);
    requireColumns(kOp, "dGain", args.dGain, columns, sums);
    requireColumns(kOp, "dBias", args.dBias, columns, sums);
    if (args.dX.isPresent()) requirePresent(kOp, "gain", args.gain);
    if (args.dGain.isPresent()) requirePresent(kOp, "x", args.x);
    const int passes = 1 + (args.dX.isPresent() ? 1 : 0) + (args.dGain.isPresent() ? 1 : 0);
    dispatch(context, context.ops->columnScaleBackward, args,
             {.flops = passes * static_cast<double>(args.dOut.shape.count()),
              .bytes = passes * static_cast<double>(args.dOut.bytes())});
}

}  // namespace wb::kernels
