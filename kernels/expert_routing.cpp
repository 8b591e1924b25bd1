// SPDX-License-Identifier: Apache-2.0
#include "kernels/expert_routing.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

constexpr double kFlopsPerLogit = 12;  // an exponential and the comparisons

// logits [T, E] against weights and ids [T, k].
void checkRouting(const Context& context, std::string_view op, const ConstView& logits, std::string_view weightsName,
                  const ConstView& weights, const ConstView& ids) {
    requireRank(op, "logits", logits, 2);
    requireComputeDtype(context, op, "logits", logits);
    requireRank(op, weightsName, weights, 2);
    requireShape(op, weightsName, weights, Shape{logits.shape[0], weights.shape[1]});
    requireDtype(op, weightsName, weights, accumulatorDtype(logits.dtype));
    requireShape(op, "ids", ids, weights.shape);
    requireDtype(op, "ids", ids, DType::I32);
    if (weights.shape[1] < 1 || weights.shape[1] > logits.shape[1]) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: {} of {} experts cannot be chosen", op, weights.shape[1], logits.shape[1])};
    }
}

}  // namespace

void routeExpertsForward(const Context& context, const RouteExpertsForwardArgs& args) {
    checkRouting(context, "routeExpertsForward", args.logits, "weights", args.weights, args.ids);
    dispatch(context, context.ops->routeExpertsForward, args,
             {.flops = kFlopsPerLogit * static_cast<double>(args.logits.shape.count()),
              .bytes = static_cast<double>(args.logits.bytes())});
}

void routeExpertsBackward(const Context& context, const RouteExpertsBackwardArgs& args) {
    constexpr std::string_view kOp = "routeExpertsBackward";
    checkRouting(context, kOp, args.logits, "dWeights", args.dWeights, args.ids);
    requireShape(kOp, "dLogits", args.dLogits, args.logits.shape);
    requireDtype(kOp, "dLogits", args.dLogits, args.logits.dtype);
    dispatch(context, context.ops->routeExpertsBackward, args,
             {.flops = kFlopsPerLogit * static_cast<double>(args.logits.shape.count()),
              .bytes = 2 * static_cast<double>(args.logits.bytes())});
}

}  // namespace wb::kernels
