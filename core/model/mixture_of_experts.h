// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/linear_layer.h"
#include "core/model/mixture_config.h"

#include <functional>

namespace wb::core {

class MixtureOfExperts {
public:
    MixtureOfExperts(const kernels::Context& context, const MixtureConfig& config, kernels::Activation activation,
                     DType dtype);
    Var apply(const Context& context, const Var& x);
    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);
};

}  // namespace wb::core
