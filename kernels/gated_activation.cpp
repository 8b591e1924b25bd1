// SPDX-License-Identifier: Apache-2.0
#include "kernels/gated_activation.h"

#include "kernels/runtime/op_table.h"

namespace wb::kernels {
namespace {

// An activation counts as 8 operations, its derivative as 12: the exponential dominates both.
constexpr double kForwardFlops = 9;
constexpr double kBackwardFlops = 15;

void requireAlike(std::string_view op, std::string_view name, const ConstView& view, const ConstView& model) {
    requireShape(op, name, view, model.shape);
    requireDtype(op, name, view, model.dtype);
}

}  // namespace

void gatedActivationForward(const Context& context, const GatedActivationForwardArgs& args) {
    constexpr std::string_view kOp = "gatedActivationForward";
    requireRank(kOp, "gate", args.gate, 2);
    requireComputeDtype(context, kOp, "gate", args.gate);
    requireAlike(kOp, "up", args.up, args.gate);
    requireAlike(kOp, "out", args.out, args.gate);
    dispatch(context, context.ops->gatedActivationForward, args,
             {.flops = kForwardFlops * static_cast<double>(args.gate.shape.count()),
              .bytes = 3 * static_cast<double>(args.gate.bytes())});
}

void gatedActivationBackward(const Context& context, const GatedActivationBackwardArgs& args) {
    constexpr std::string_view kOp = "gatedActivationBackward";
    requireRank(kOp, "gate", args.gate, 2);
    requireComputeDtype(context, kOp, "gate", args.gate);
    requireAlike(kOp, "dOut", args.dOut, args.gate);
    requireAlike(kOp, "up", args.up, args.gate);
    requireAlike(kOp, "dGate", args.dGate, args.gate);
    requireAlike(kOp, "dUp", args.dUp, args.gate);
    dispatch(context, context.ops->gatedActivationBackward, args,
             {.flops = kBackwardFlops * static_cast<double>(args.gate.shape.count()),
              .bytes = 5 * static_cast<double>(args.gate.bytes())});
}

}  // namespace wb::kernels
