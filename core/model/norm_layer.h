// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/ops.h"
#include "core/model/network_config.h"

#include <functional>

namespace wb::core {

// A norm of either kind, or none: then inputs pass through.
class NormLayer {
public:
    NormLayer() = default;
    // Allocates uninitialised weights; a norm without weights gets constants of one.
    NormLayer(const kernels::Context& context, const NormConfig& config, DType dtype);

    bool exists() const { return m_config.exists(); }

    // x [T, size], or [T, n, size / n] and the like: normalised over `size` values, in the shape of x.
    Var apply(const Context& context, const Var& x);
    // Of x + residual, [T, size] each. Without a norm the sum stands for both.
    NormedSum applyToSum(const Context& context, const Var& x, const Var& residual);

    void visitParameters(const std::function<void(Parameter&)>& visit);

private:
    Parameter* bias() { return m_config.hasBias ? &m_bias : nullptr; }

    NormConfig m_config;
    Parameter m_weight;
    Parameter m_bias;
};

}  // namespace wb::core
