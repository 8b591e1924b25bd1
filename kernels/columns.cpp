// SPDX-License-Identifier: Apache-2.0
#include "kernels/columns.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void checkSlots(std::string_view op, const ConstView& matrix, std::string_view partName, const ConstView& part,
                std::span<const int32_t> starts) {
    requireRank(op, partName, part, 3);
    requireShape(op, partName, part, Shape{matrix.shape[0], static_cast<int64_t>(starts.size()), part.shape[2]});
    requireDtype(op, partName, part, matrix.dtype);
    const int64_t width = part.shape[2];
    for (const int32_t start : starts) {
        if (start >= 0 && start + width <= matrix.shape[1]) continue;
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: slot of columns {} to {} lies outside the {} columns",
                                                            op, start, start + width, matrix.shape[1])};
    }
}

}  // namespace

void gatherColumns(const Context& context, const GatherColumnsArgs& args) {
    constexpr std::string_view kOp = "gatherColumns";
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    checkSlots(kOp, args.x, "out", args.out, args.starts);
    dispatch(context, context.ops->gatherColumns, args,
             {.flops = 0, .bytes = 2 * static_cast<double>(args.out.bytes())});
}

void scatterAddColumns(const Context& context, const ScatterAddColumnsArgs& args) {
    constexpr std::string_view kOp = "scatterAddColumns";
    requireRank(kOp, "dX", args.dX, 2);
    requireComputeDtype(context, kOp, "dX", args.dX);
    checkSlots(kOp, args.dX, "part", args.part, args.starts);
    dispatch(
        context, context.ops->scatterAddColumns, args,
        {.flops = static_cast<double>(args.part.shape.count()), .bytes = 3 * static_cast<double>(args.part.bytes())});
}

}  // namespace wb::kernels
