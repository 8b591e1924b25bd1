// SPDX-License-Identifier: Apache-2.0
#include "kernels/distance_table.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

void checkBuckets(std::string_view op, std::span<const int32_t> bucketOfDistance, int64_t buckets) {
    for (size_t n = 0; n < bucketOfDistance.size(); ++n) {
        if (bucketOfDistance[n] >= 0 && bucketOfDistance[n] < buckets) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: bucket {} of distance {} is not in [0, {})", op, bucketOfDistance[n], n, buckets)};
    }
}

}  // namespace

void distanceTableForward(const Context& context, const DistanceTableForwardArgs& args) {
    constexpr std::string_view kOp = "distanceTableForward";
    requireRank(kOp, "weight", args.weight, 2);
    requireComputeDtype(context, kOp, "weight", args.weight);
    const auto distances = static_cast<int64_t>(args.bucketOfDistance.size());
    requireShape(kOp, "table", args.table, Shape{args.weight.shape[1], distances});
    requireDtype(kOp, "table", args.table, accumulatorDtype(args.weight.dtype));
    checkBuckets(kOp, args.bucketOfDistance, args.weight.shape[0]);
    dispatch(context, context.ops->distanceTableForward, args,
             {.flops = 0, .bytes = 2 * static_cast<double>(args.table.bytes())});
}

void distanceTableBackward(const Context& context, const DistanceTableBackwardArgs& args) {
    constexpr std::string_view kOp = "distanceTableBackward";
    requireRank(kOp, "dWeight", args.dWeight, 2);
    requireComputeDtype(context, kOp, "dWeight", args.dWeight);
    const auto distances = static_cast<int64_t>(args.bucketOfDistance.size());
    requireDtype(kOp, "dWeight", args.dWeight, accumulatorDtype(args.dWeight.dtype));
    requireShape(kOp, "dTable", args.dTable, Shape{args.dWeight.shape[1], distances});
    requireDtype(kOp, "dTable", args.dTable, args.dWeight.dtype);
    checkBuckets(kOp, args.bucketOfDistance, args.dWeight.shape[0]);
    dispatch(
        context, context.ops->distanceTableBackward, args,
        {.flops = static_cast<double>(args.dTable.shape.count()), .bytes = static_cast<double>(args.dTable.bytes())});
}

}  // namespace wb::kernels
