// SPDX-License-Identifier: Apache-2.0
#include "kernels/activation.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

// As in gated_activation.cpp: the exponential dominates.
constexpr double kForwardFlops = 8;
constexpr double kBackwardFlops = 13;

void requireAlike(std::string_view op, std::string_view name, const ConstView& view, const ConstView& model) {
    requireShape(op, name, view, model.shape);
    requireDtype(op, name, view, model.dtype);
}

}  // namespace

void activationForward(const Context& context, const ActivationForwardArgs& args) {
    constexpr std::string_view kOp = "activationForward";
    requirePresent(kOp, "x", args.x);
    requireComputeDtype(context, kOp, "x", args.x);
    requireAlike(kOp, "out", args.out, args.x);
    dispatch(context, context.ops->activationForward, args,
             {.flops = kForwardFlops * static_cast<double>(args.x.shape.count()),
              .bytes = 2 * static_cast<double>(args.x.bytes())});
}

void activationBackward(const Context& context, const ActivationBackwardArgs& args) {
    constexpr std::string_view kOp = "activationBackward";
    requirePresent(kOp, "x", args.x);
    requireComputeDtype(context, kOp, "x", args.x);
    requireAlike(kOp, "dOut", args.dOut, args.x);
    requireAlike(kOp, "dX", args.dX, args.x);
    dispatch(context, context.ops->activationBackward, args,
             {.flops = kBackwardFlops * static_cast<double>(args.x.shape.count()),
              .bytes = 3 * static_cast<double>(args.x.bytes())});
}

}  // namespace wb::kernels
