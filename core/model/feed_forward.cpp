// SPDX-License-Identifier: Apache-2.0
#include "core/model/feed_forward.h"

#include <array>
#include <vector>

namespace wb::core {
namespace {

ProjectionConfig unlessMixture(const FeedForwardConfig& config, const ProjectionConfig& projection) {
    return config.mixture ? ProjectionConfig{} : projection;
}

}  // namespace

FeedForward::FeedForward(const kernels::Context& context, const FeedForwardConfig& config, const ElementTypes& types)
    : m_config(config),
      m_gate(context, unlessMixture(config, config.gate), types),
      m_up(context, unlessMixture(config, config.up), types),
      m_gateUp(context, unlessMixture(config, config.gateUp), types),
      m_down(context, unlessMixture(config, config.down), types) {
    if (m_gateUp.exists()) {
        const int64_t half = config.gateUp.out / 2;
        m_halves = std::make_shared<const std::vector<ColumnPart>>(
            std::vector<ColumnPart>{{{0}, half}, {{static_cast<int32_t>(half)}, half}});
    }
    if (config.mixture)
        m_mixture = std::make_unique<MixtureOfExperts>(context, *config.mixture, config.activation, types);
}

Var FeedForward::activated(const Context& context, const Var& x) {
    if (m_gateUp.exists()) {
        const std::vector<Var> halves = splitColumns(context, m_gateUp.apply(context, x), m_halves);
        const Shape flat{x.value.shape()[0], m_config.gateUp.out / 2};
        return gatedActivation(context, reshape(context, halves[0], flat), reshape(context, halves[1], flat),
                               m_config.activation);
    }
    if (!m_gate.exists()) return activation(context, m_up.apply(context, x), m_config.activation);
    const std::array<LinearCall, 2> calls{m_gate.call(), m_up.call()};
    const std::vector<Var> parts = linearGroup(context, x, calls);
    return gatedActivation(context, parts[0], parts[1], m_config.activation);
}

Var FeedForward::apply(const Context& context, const Var& x) {
    if (m_mixture) return m_mixture->apply(context, x);
    return m_down.apply(context, activated(context, x));
}

void FeedForward::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    if (m_mixture) return m_mixture->visitLinears(visit);
    for (LinearLayer* layer : {&m_gate, &m_up, &m_gateUp, &m_down}) {
        if (layer->exists()) visit(*layer);
    }
}

void FeedForward::visitParameters(const std::function<void(Parameter&)>& visit) {
    if (m_mixture) return m_mixture->visitParameters(visit);
    for (LinearLayer* layer : {&m_gate, &m_up, &m_gateUp, &m_down}) layer->visitParameters(visit);
}

}  // namespace wb::core
