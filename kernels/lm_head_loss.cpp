// SPDX-License-Identifier: Apache-2.0
#include "kernels/lm_head_loss.h"

#include "kernels/runtime/op_table.h"

#include <algorithm>

namespace wb::kernels {
namespace {

void checkLabels(const Context& context, const ConstView& labels, int64_t vocabularySize) {
    if (context.device.type != DeviceType::Cpu) return;  // elsewhere the labels are out of reach
    const auto* label = labels.as<int32_t>();
    for (int64_t t = 0; t < labels.shape[0]; ++t) {
        if (label[t] == kIgnoredLabel || (label[t] >= 0 && label[t] < vocabularySize)) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("lmHeadLoss: label {} of token {} is neither in [0, {}) nor {}", label[t], t,
                                vocabularySize, kIgnoredLabel)};
    }
}

void checkArguments(const Context& context, const LmHeadLossArgs& args) {
    constexpr std::string_view kOp = "lmHeadLoss";
    requireRank(kOp, "hidden", args.hidden, 2);
    requireRank(kOp, "weight", args.weight, 2);
    requireComputeDtype(context, kOp, "hidden", args.hidden);
    const DType dtype = args.hidden.dtype;
    const int64_t tokens = args.hidden.shape[0];
    requireShape(kOp, "weight", args.weight, Shape{args.weight.shape[0], args.hidden.shape[1]});
    if (!isTiled(args.weight.dtype)) requireDtype(kOp, "weight", args.weight, dtype);
    requireShape(kOp, "labels", args.labels, Shape{tokens});
    requireDtype(kOp, "labels", args.labels, DType::I32);
    requireShape(kOp, "losses", args.losses, Shape{tokens});
    requireDtype(kOp, "losses", args.losses, accumulatorDtype(dtype));
    if (args.predictions.isPresent()) {
        requireShape(kOp, "predictions", args.predictions, Shape{tokens});
        requireDtype(kOp, "predictions", args.predictions, DType::I32);
    }
    if (args.dHidden.isPresent()) {
        requireShape(kOp, "dHidden", args.dHidden, args.hidden.shape);
        requireDtype(kOp, "dHidden", args.dHidden, dtype);
    }
    if (args.dWeight.isPresent()) {
        if (isTiled(args.weight.dtype)) {
            throw Error{ErrorCode::InvalidArgument, "lmHeadLoss: a quantised weight has no gradient"};
        }
        requireShape(kOp, "dWeight", args.dWeight, args.weight.shape);
        requireDtype(kOp, "dWeight", args.dWeight, accumulatorDtype(dtype));
    }
    if (args.bias.isPresent()) {
        requireShape(kOp, "bias", args.bias, Shape{args.weight.shape[0]});
        requireDtype(kOp, "bias", args.bias, dtype);
    }
    if (args.dBias.isPresent()) {
        requireShape(kOp, "dBias", args.dBias, Shape{args.weight.shape[0]});
        requireDtype(kOp, "dBias", args.dBias, accumulatorDtype(dtype));
    }
    if (!(args.softCap >= 0.0F)) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("lmHeadLoss: soft cap is {}, expected 0 (none) or more", args.softCap)};
    }
    if (args.vocabularySize < 1 || args.vocabularySize > args.weight.shape[0]) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("lmHeadLoss: vocabulary of {} with a weight of {} rows",
                                                            args.vocabularySize, args.weight.shape[0])};
    }
    checkLabels(context, args.labels, args.vocabularySize);
}

}  // namespace

void lmHeadLoss(const Context& context, const LmHeadLossArgs& args) {
    LmHeadLossArgs call = args;
    if (call.vocabularySize == 0 && call.weight.shape.rank() == 2) call.vocabularySize = call.weight.shape[0];
    checkArguments(context, call);
    int64_t labelled = args.labels.shape[0];
    if (context.device.type == DeviceType::Cpu) {
        labelled -= std::count(args.labels.as<int32_t>(), args.labels.as<int32_t>() + labelled, kIgnoredLabel);
    }
    const int products = 1 + (args.dHidden.isPresent() ? 1 : 0) + (args.dWeight.isPresent() ? 1 : 0);
    const double flops = 2.0 * products * static_cast<double>(labelled) * static_cast<double>(call.vocabularySize) *
                         static_cast<double>(args.hidden.shape[1]);
    const double weightPasses = products + (args.dWeight.isPresent() ? 1 : 0);
    dispatch(context, context.ops->lmHeadLoss, call,
             {.flops = flops, .bytes = weightPasses * static_cast<double>(args.weight.bytes())});
}

}  // namespace wb::kernels
