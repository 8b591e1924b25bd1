// SPDX-License-Identifier: Apache-2.0
// s = x + residual;  r = 1 / sqrt(mean(s^2) + eps);  out = s r (weight + offset)
// With g = dOut (weight + offset), n = s r:  dX = r (g - n mean(g n)) (+ dResidual);  dWeight += sum over rows of dOut
// n
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/norm_rows.h"

namespace wb::kernels::cuda {

void rmsNormForward(const Context& context, const RmsNormForwardArgs& args) {
    withType("rms_norm_forward", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        normForward<T, false>(context, {.x = args.x.as<T>(),
                                        .residual = args.residual.as<T>(),
                                        .weight = args.weight.as<T>(),
                                        .bias = nullptr,
                                        .out = args.out.as<T>(),
                                        .sum = args.sum.as<T>(),
                                        .mean = nullptr,
                                        .inverse = args.invRms.as<float>(),
                                        .rows = args.x.shape[0],
                                        .columns = static_cast<int>(args.x.shape[1]),
                                        .eps = args.eps,
                                        .weightOffset = args.weightOffset});
    });
}

void rmsNormBackward(const Context& context, const RmsNormBackwardArgs& args) {
    withType("rms_norm_backward", args.dOut.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        normBackward<T, false>(context,
                               {.dOut = args.dOut.as<T>(),
                                .s = args.s.as<T>(),
                                .weight = args.weight.as<T>(),
                                .mean = nullptr,
                                .inverse = args.invRms.as<float>(),
                                .dResidual = args.dResidual.as<T>(),
                                .dX = args.dX.as<T>(),
                                .weightSums = args.workspace.as<float>(),
                                .biasSums = nullptr,
                                .rows = args.dOut.shape[0],
                                .columns = static_cast<int>(args.dOut.shape[1]),
                                .weightOffset = args.weightOffset},
                               args.dWeight.as<float>(), nullptr);
    });
}

size_t rmsNormBackwardWorkspace(const Context& /*context*/, const RmsNormBackwardArgs& args) {
    if (!args.dWeight.isPresent()) return 0;
    return normSumBytes(args.dOut);
}

}  // namespace wb::kernels::cuda
