// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/linear_layer.h"
#include "core/model/mixture_of_experts.h"

#include <functional>
#include <memory>

namespace wb::core {

// The per-token part of a block: with or without a gate, gate and up separate or fused, or a mixture of experts.
class FeedForward {
public:
    // Allocates uninitialised weights.
    FeedForward(const kernels::Context& context, const FeedForwardConfig& config, const ElementTypes& types);

    // x [T, C] -> [T, C].
    Var apply(const Context& context, const Var& x);

    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

private:
    Var activated(const Context& context, const Var& x);

    FeedForwardConfig m_config;
    LinearLayer m_gate, m_up, m_gateUp, m_down;
    ColumnParts m_halves;  // gate and up in the fused projection
    std::unique_ptr<MixtureOfExperts> m_mixture;
};

}  // namespace wb::core
