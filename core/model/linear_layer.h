// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/autograd/ops.h"
#include "core/model/element_types.h"
#include "core/model/network_config.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace wb::core {

// A projection with a Hugging Face name, and the places where adapters attach to it.
struct LinearLayer {
    std::string name;  // "model.layers.0.self_attn.q_proj"
    Parameter weight;  // [out, in], tiles if the model is quantised
    std::optional<Parameter> bias;
    std::vector<LowRankDelta*> deltas;  // by adapter index, borrowed; null where an adapter leaves the layer alone

    LinearLayer() = default;
    // Allocates uninitialised weights; absent for a projection that does not exist.
    LinearLayer(const kernels::Context& context, const ProjectionConfig& config, const ElementTypes& types);

    bool exists() const { return !name.empty(); }
    int64_t inFeatures() const { return weight.value.shape()[1]; }
    int64_t outFeatures() const { return weight.value.shape()[0]; }

    Var apply(const Context& context, const Var& x) {
        return linear(context, x, weight, bias ? &*bias : nullptr, deltas);
    }

    LinearCall call() { return {weight, bias ? &*bias : nullptr, deltas}; }

    void visitParameters(const std::function<void(Parameter&)>& visit);
};

}  // namespace wb::core
