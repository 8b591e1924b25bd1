// SPDX-License-Identifier: Apache-2.0
#include "kernels/row_norm.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {

void rowNorm(const Context& context, const RowNormArgs& args) {
    constexpr std::string_view kOp = "rowNorm";
    requireRank(kOp, "x", args.x, 2);
    requireDtype(kOp, "x", args.x, accumulatorDtype(args.x.dtype));
    requireShape(kOp, "inverse", args.inverse, Shape{args.x.shape[0]});
    requireDtype(kOp, "inverse", args.inverse, args.x.dtype);
    dispatch(context, context.ops->rowNorm, args,
             {.flops = 2 * static_cast<double>(args.x.shape.count()), .bytes = static_cast<double>(args.x.bytes())});
}

}  // namespace wb::kernels
