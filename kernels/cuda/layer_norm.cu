// SPDX-License-Identifier: Apache-2.0
// s = x + residual;  m = mean(s);  r = 1 / sqrt(mean((s - m)^2) + eps);  out = (s - m) r weight + bias
// With g = dOut weight, n = (s - m) r:  dX = r (g - mean(g) - n mean(g n)) (+ dResidual)
// dWeight += sum over rows of dOut n;  dBias += sum over rows of dOut
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/norm_rows.h"

namespace wb::kernels::cuda {

void layerNormForward(const Context& context, const LayerNormForwardArgs& args) {
    withType("layer_norm_forward", args.x.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        normForward<T, true>(context, {.x = args.x.as<T>(),
                                       .residual = args.residual.as<T>(),
                                       .weight = args.weight.as<T>(),
                                       .bias = args.bias.as<T>(),
                                       .out = args.out.as<T>(),
                                       .sum = args.sum.as<T>(),
                                       .mean = args.mean.as<float>(),
                                       .inverse = args.invStd.as<float>(),
                                       .rows = args.x.shape[0],
                                       .columns = static_cast<int>(args.x.shape[1]),
                                       .eps = args.eps,
                                       .weightOffset = 0.0F});
    });
}

void layerNormBackward(const Context& context, const LayerNormBackwardArgs& args) {
    withType("layer_norm_backward", args.dOut.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        auto* weightSums = args.workspace.as<float>();
        auto* biasSums = weightSums;
        if (args.dWeight.isPresent()) biasSums += normSumBytes(args.dOut) / sizeof(float);
        normBackward<T, true>(context,
                              {.dOut = args.dOut.as<T>(),
                               .s = args.s.as<T>(),
                               .weight = args.weight.as<T>(),
                               .mean = args.mean.as<float>(),
                               .inverse = args.invStd.as<float>(),
                               .dResidual = args.dResidual.as<T>(),
                               .dX = args.dX.as<T>(),
                               .weightSums = args.dWeight.isPresent() ? weightSums : nullptr,
                               .biasSums = args.dBias.isPresent() ? biasSums : nullptr,
                               .rows = args.dOut.shape[0],
                               .columns = static_cast<int>(args.dOut.shape[1]),
                               .weightOffset = 0.0F},
                              args.dWeight.as<float>(), args.dBias.as<float>());
    });
}

size_t layerNormBackwardWorkspace(const Context& /*context*/, const LayerNormBackwardArgs& args) {
    const size_t sums = (args.dWeight.isPresent() ? 1 : 0) + (args.dBias.isPresent() ? 1 : 0);
    return sums == 0 ? 0 : sums * normSumBytes(args.dOut);
}

}  // namespace wb::kernels::cuda
