// SPDX-License-Identifier: Apache-2.0
#include "core/model/linear_layer.h"

namespace wb::core {

using kernels::MemoryOwner;

LinearLayer::LinearLayer(const kernels::Context& context, const ProjectionConfig& config, const ElementTypes& types)
    : name(config.name) {
    if (!exists()) return;
    weight.name = name + ".weight";
    weight.value =
        Tensor::empty(context, types.matrixType(config.in), Shape{config.out, config.in}, MemoryOwner::Weights);
    weight.isTransposedInFile = config.isTransposedInFile;
    if (!config.hasBias) return;
    bias =
        Parameter{name + ".bias", Tensor::empty(context, types.compute, Shape{config.out}, MemoryOwner::Weights), {}};
}

void LinearLayer::visitParameters(const std::function<void(Parameter&)>& visit) {
    if (!exists()) return;
    visit(weight);
    if (bias) visit(*bias);
}

}  // namespace wb::core
