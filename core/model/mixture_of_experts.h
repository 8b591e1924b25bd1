// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/linear_layer.h"
#include "core/model/mixture_config.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// The feed-forward part of a sparse block (Mixtral, Qwen2-MoE, Qwen3-MoE, OLMoE):
//   w, ids = the k most likely experts by softmax(x R^T);  y = sum over them of w * down(act(gate(x)) * up(x))
//   with a shared expert: y += sigmoid(x s^T) * shared(x)
// Every token reaches its experts: there is no capacity limit and no noise. The auxiliary loss that balances experts in
// pre-training is not part of the layer. Engine thread only.
class MixtureOfExperts {
public:
    // Allocates uninitialised weights, named by the config. Throws InvalidArgument where it asks for more experts per
    // token than there are.
    MixtureOfExperts(const kernels::Context& context, const MixtureConfig& config, kernels::Activation activation,
                     const ElementTypes& types);

    // x [T, C] -> [T, C]. Adapter rows of the context follow their rows to the experts.
    Var apply(const Context& context, const Var& x);

    // Every weight: router, experts in order, shared expert and its gate.
    void visitParameters(const std::function<void(Parameter&)>& visit);
    void visitLinears(const std::function<void(LinearLayer&)>& visit);

private:
    struct GatedMlp {
        LinearLayer gate;
        LinearLayer up;
        LinearLayer down;
    };

    GatedMlp makeMlp(const kernels::Context& context, const ElementTypes& types, const std::string& prefix,
                     int64_t ffn) const;
    Var applyMlp(const Context& context, GatedMlp& mlp, const Var& x) const;
    Var applyShared(const Context& context, const Var& x);

    MixtureConfig m_config;
    kernels::Activation m_activation;
    LinearLayer m_router;
    std::vector<GatedMlp> m_experts;
    std::optional<GatedMlp> m_shared;
    LinearLayer m_sharedGate;  // exists with m_shared
};

}  // namespace wb::core
