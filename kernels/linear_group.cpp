// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear_group.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

constexpr std::string_view kOp = "linearGroup";

void checkDelta(const ConstView& x, const LinearPart& part, const LinearDelta& delta) {
    if (delta.begin < 0 || delta.begin > delta.end || delta.end > x.shape[0]) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: a delta is for rows {} to {} of {}", kOp, delta.begin, delta.end, x.shape[0])};
    }
    requireRank(kOp, "a", delta.a, 2);
    const int64_t rank = delta.a.shape[0];
    requireShape(kOp, "a", delta.a, Shape{rank, x.shape[1]});
    requireShape(kOp, "b", delta.b, Shape{part.weight.shape[0], rank});
    requireShape(kOp, "low", delta.low, Shape{delta.end - delta.begin, rank});
    requireDtype(kOp, "a", delta.a, x.dtype);
    requireDtype(kOp, "b", delta.b, x.dtype);
    requireDtype(kOp, "low", delta.low, x.dtype);
}

void checkPart(const ConstView& x, const LinearPart& part) {
    requireRank(kOp, "weight", part.weight, 2);
    const int64_t outputs = part.weight.shape[0];
    requireShape(kOp, "weight", part.weight, Shape{outputs, x.shape[1]});
    requireDtype(kOp, "weight", part.weight, x.dtype);
    requireShape(kOp, "out", part.out, Shape{x.shape[0], outputs});
    if (part.out.dtype != accumulatorDtype(x.dtype)) requireDtype(kOp, "out", part.out, x.dtype);
    if (part.bias.isPresent()) {
        requireShape(kOp, "bias", part.bias, Shape{outputs});
        requireDtype(kOp, "bias", part.bias, x.dtype);
    }
    for (const LinearDelta& delta : part.deltas) checkDelta(x, part, delta);
}

double count(const ConstView& view) {
    return static_cast<double>(view.shape.count());
}

OpCost costOf(const LinearGroupArgs& args) {
    OpCost cost{0, static_cast<double>(args.x.bytes())};
    const auto rows = static_cast<double>(args.x.shape[0]);
    for (const LinearPart& part : args.parts) {
        cost.flops += 2.0 * rows * count(part.weight);
        cost.bytes += static_cast<double>(part.weight.bytes() + part.out.bytes());
        for (const LinearDelta& delta : part.deltas) {
            cost.flops += 2.0 * static_cast<double>(delta.end - delta.begin) * (count(delta.a) + count(delta.b));
            cost.bytes += static_cast<double>(delta.a.bytes() + delta.b.bytes());
        }
    }
    return cost;
}

}  // namespace

void linearGroup(const Context& context, const LinearGroupArgs& args) {
    requireRank(kOp, "x", args.x, 2);
    requireComputeDtype(context, kOp, "x", args.x);
    if (args.x.shape[0] > kIndependentRows) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: x has {} rows, at most {} go together", kOp, args.x.shape[0], kIndependentRows)};
    }
    for (const LinearPart& part : args.parts) checkPart(args.x, part);
    dispatch(context, context.ops->linearGroup, args, costOf(args));
}

}  // namespace wb::kernels
