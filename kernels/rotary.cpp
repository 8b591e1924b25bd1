// SPDX-License-Identifier: Apache-2.0
#include "kernels/rotary.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {

void rotary(const Context& context, const RotaryArgs& args) {
    constexpr std::string_view kOp = "rotary";
    requireRank(kOp, "x", args.x, 3);
    requireComputeDtype(context, kOp, "x", args.x);
    requireShape(kOp, "positions", args.positions, Shape{args.x.shape[0]});
    requireDtype(kOp, "positions", args.positions, DType::I32);
    requireRank(kOp, "frequencies", args.frequencies, 1);
    requireDtype(kOp, "frequencies", args.frequencies, DType::F32);
    if (2 * args.frequencies.shape[0] > args.x.shape[2]) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} frequencies rotate {} values, but a head has {}", kOp,
                                args.frequencies.shape[0], 2 * args.frequencies.shape[0], args.x.shape[2])};
    }
    requireShape(kOp, "out", args.out, args.x.shape);
    requireDtype(kOp, "out", args.out, args.x.dtype);
    const auto count = static_cast<double>(args.x.shape.count());
    dispatch(context, context.ops->rotary, args,
             {.flops = 3 * count, .bytes = 2 * static_cast<double>(args.x.bytes())});
}

}  // namespace wb::kernels
