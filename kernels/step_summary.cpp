// SPDX-License-Identifier: Apache-2.0
#include "kernels/step_summary.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {

void lossSum(const Context& context, const LossSumArgs& args) {
    constexpr std::string_view kOp = "lossSum";
    requireRank(kOp, "losses", args.losses, 1);
    if (args.losses.dtype != DType::F64) requireDtype(kOp, "losses", args.losses, DType::F32);
    requireShape(kOp, "sum", args.sum, Shape{1});
    requireDtype(kOp, "sum", args.sum, DType::F64);
    dispatch(
        context, context.ops->lossSum, args,
        {.flops = static_cast<double>(args.losses.shape.count()), .bytes = static_cast<double>(args.losses.bytes())});
}

void stepSummary(const Context& context, const StepSummaryArgs& args) {
    constexpr std::string_view kOp = "stepSummary";
    requireShape(kOp, "lossSum", args.lossSum, Shape{1});
    requireDtype(kOp, "lossSum", args.lossSum, DType::F64);
    requireShape(kOp, "gradientNorm", args.gradientNorm, Shape{1});
    if (args.gradientNorm.dtype != DType::F64) requireDtype(kOp, "gradientNorm", args.gradientNorm, DType::F32);
    requireShape(kOp, "out", args.out, Shape{kNumStepNumbers});
    requireDtype(kOp, "out", args.out, DType::F32);
    if (args.labelTokens < 1) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("stepSummary: labelTokens is {}, must be at least 1", args.labelTokens)};
    }
    dispatch(context, context.ops->stepSummary, args, {});
}

}  // namespace wb::kernels
