// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantize.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void requireBlocks(std::string_view op, std::string_view name, const ConstView& view) {
    requireRank(op, name, view, 2);
    if (!isBlocked(view.dtype) && !isTiled(view.dtype)) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {} is {}, expected Q8_0, Q4_0, NF4 or their tiles", op,
                                                            name, dtypeName(view.dtype))};
    }
    if (const int64_t length = valuesPerBlock(view.dtype); view.shape[1] % length != 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} columns are no multiple of {}", op, view.shape[1], length)};
    }
}

OpCost costOf(const ConstView& from, const ConstView& to) {
    return {.flops = static_cast<double>(from.shape.count()), .bytes = static_cast<double>(from.bytes() + to.bytes())};
}

}  // namespace

void dequantize(const Context& context, const DequantizeArgs& args) {
    constexpr std::string_view kOp = "dequantize";
    requireBlocks(kOp, "quantized", args.quantized);
    requireShape(kOp, "out", args.out, args.quantized.shape);
    requireComputeDtype(context, kOp, "out", args.out);
    if (args.out.dtype == DType::F64 && !isTiled(args.quantized.dtype)) {
        throw Error{ErrorCode::InvalidArgument, "dequantize: blocks row by row are not widened to F64"};
    }
    dispatch(context, context.ops->dequantize, args, costOf(args.quantized, args.out));
}

void quantize(const Context& context, const QuantizeArgs& args) {
    constexpr std::string_view kOp = "quantize";
    requireBlocks(kOp, "out", args.out);
    requireShape(kOp, "x", args.x, args.out.shape);
    requireDtype(kOp, "x", args.x, DType::F32);
    dispatch(context, context.ops->quantize, args, costOf(args.x, args.out));
}

void retile(const Context& context, const RetileArgs& args) {
    constexpr std::string_view kOp = "retile";
    requireBlocks(kOp, "in", args.in);
    requireShape(kOp, "out", args.out, args.in.shape);
    const DType expected = isTiled(args.in.dtype) ? rowsOfTiles(args.in.dtype) : tilesOfRows(args.in.dtype);
    requireDtype(kOp, "out", args.out, expected);
    dispatch(context, context.ops->retile, args, costOf(args.in, args.out));
}

}  // namespace wb::kernels
