// SPDX-License-Identifier: Apache-2.0
#include "kernels/embedding.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void checkIds(const Context& context, std::string_view op, const ConstView& ids, int64_t numRows) {
    if (context.device.type != DeviceType::Cpu) return;  // elsewhere the ids are out of reach
    const auto* id = ids.as<int32_t>();
    for (int64_t t = 0; t < ids.shape.count(); ++t) {
        if (id[t] < 0 || id[t] >= numRows) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("{}: id {} of token {} is outside the table of {} rows", op, id[t], t, numRows)};
        }
    }
}

}  // namespace

void embeddingForward(const Context& context, const EmbeddingForwardArgs& args) {
    constexpr std::string_view kOp = "embeddingForward";
    requireRank(kOp, "table", args.table, 2);
    requireRank(kOp, "ids", args.ids, 1);
    if (!isTiled(args.table.dtype)) requireComputeDtype(context, kOp, "table", args.table);
    requireDtype(kOp, "ids", args.ids, DType::I32);
    const int64_t tokens = args.ids.shape[0];
    requireShape(kOp, "out", args.out, Shape{tokens, args.table.shape[1]});
    requireComputeDtype(context, kOp, "out", args.out);
    if (!isTiled(args.table.dtype)) requireDtype(kOp, "out", args.out, args.table.dtype);
    checkIds(context, kOp, args.ids, args.table.shape[0]);
    const auto outBytes = static_cast<double>(args.out.bytes());
    dispatch(context, context.ops->embeddingForward, args, {.flops = 0, .bytes = 2 * outBytes});
}

void embeddingBackward(const Context& context, const EmbeddingBackwardArgs& args) {
    constexpr std::string_view kOp = "embeddingBackward";
    requireRank(kOp, "dTable", args.dTable, 2);
    requireRank(kOp, "ids", args.ids, 1);
    requireComputeDtype(context, kOp, "dOut", args.dOut);
    requireDtype(kOp, "ids", args.ids, DType::I32);
    requireShape(kOp, "dOut", args.dOut, Shape{args.ids.shape[0], args.dTable.shape[1]});
    requireDtype(kOp, "dTable", args.dTable, accumulatorDtype(args.dOut.dtype));
    checkIds(context, kOp, args.ids, args.dTable.shape[0]);
    const auto count = static_cast<double>(args.dOut.shape.count());
    dispatch(context, context.ops->embeddingBackward, args,
             {.flops = 2 * count, .bytes = static_cast<double>(args.dOut.bytes()) + 8 * count});
}

}  // namespace wb::kernels
