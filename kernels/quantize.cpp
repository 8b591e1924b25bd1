// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantize.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

constexpr int64_t kBlockLength = 32;

void requireBlocks(std::string_view op, const ConstView& view) {
    requireRank(op, "quantized", view, 2);
    requireDtype(op, "quantized", view, DType::Q8_0);
    if (view.shape[1] % kBlockLength != 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} columns are no multiple of {}", op, view.shape[1], kBlockLength)};
    }
}

OpCost costOf(const ConstView& quantized, const ConstView& plain) {
    return {.flops = static_cast<double>(plain.shape.count()),
            .bytes = static_cast<double>(quantized.bytes() + plain.bytes())};
}

}  // namespace

void dequantize(const Context& context, const DequantizeArgs& args) {
    requireBlocks("dequantize", args.quantized);
    requireShape("dequantize", "out", args.out, args.quantized.shape);
    if (args.out.dtype != DType::BF16) requireDtype("dequantize", "out", args.out, DType::F32);
    dispatch(context, context.ops->dequantize, args, costOf(args.quantized, args.out));
}

void quantize(const Context& context, const QuantizeArgs& args) {
    requireBlocks("quantize", args.out);
    requireShape("quantize", "x", args.x, args.out.shape);
    requireDtype("quantize", "x", args.x, DType::F32);
    dispatch(context, context.ops->quantize, args, costOf(args.out, args.x));
}

}  // namespace wb::kernels
