// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/gemv.h"
#include "kernels/cpu/reference/reference_ops.h"

namespace wb::kernels::cpu {
namespace {

void referencePart(const Context& context, const ConstView& x, const LinearPart& part) {
    reference::linearForward(
        context,
        {.x = x, .weight = part.weight, .bias = part.bias, .out = part.out, .alpha = part.alpha, .write = part.write});
    for (const LinearDelta& delta : part.deltas) {
        reference::linearForward(
            context, {.x = rowsOf(x, delta.begin, delta.end), .weight = delta.a, .bias = {}, .out = delta.low});
        reference::linearForward(context, {.x = delta.low,
                                           .weight = delta.b,
                                           .bias = {},
                                           .out = rowsOf(part.out, delta.begin, delta.end),
                                           .alpha = delta.scale,
                                           .write = Write::Add});
    }
}

}  // namespace

void linearGroup(const Context& context, const LinearGroupArgs& args) {
    if (args.x.dtype != DType::F64) return gemv(context, args.x, args.parts);
    for (const LinearPart& part : args.parts) referencePart(context, args.x, part);
}

}  // namespace wb::kernels::cpu
