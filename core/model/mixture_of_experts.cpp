// SPDX-License-Identifier: Apache-2.0
#include "core/model/mixture_of_experts.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <span>
#include <utility>

namespace wb::core {
namespace {

// Adapter ranges of the batch as ranges of one expert's rows, which are rows of the batch in rising order.
std::vector<AdapterRows> adapterRowsOf(std::span<const AdapterRows> ofBatch, std::span<const int32_t> sourceRows) {
    const auto placeOf = [&](int64_t row) {
        return std::lower_bound(sourceRows.begin(), sourceRows.end(), row) - sourceRows.begin();
    };
    std::vector<AdapterRows> rows;
    for (const AdapterRows& range : ofBatch) {
        rows.push_back({.begin = placeOf(range.begin), .end = placeOf(range.end), .adapter = range.adapter});
    }
    return rows;
}

}  // namespace

MixtureOfExperts::MixtureOfExperts(const kernels::Context& context, const MixtureConfig& config,
                                   kernels::Activation activation, const ElementTypes& types)
    : m_config(config), m_activation(activation) {
    if (config.expertsPerToken < 1 || config.expertsPerToken > config.numExperts) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {} of {} experts per token cannot be chosen",
                                                            config.prefix, config.expertsPerToken, config.numExperts)};
    }
    // Routers are small, and a rounding that changes the choice of an expert is not.
    m_router = LinearLayer(context, {.name = config.prefix + ".gate", .in = config.hidden, .out = config.numExperts},
                           types.compute);
    for (int64_t e = 0; e < config.numExperts; ++e) {
        m_experts.push_back(makeMlp(context, types, fmt::format("{}.experts.{}.", config.prefix, e), config.ffn));
    }
    if (config.sharedFfn == 0) return;
    m_shared = makeMlp(context, types, config.prefix + ".shared_expert.", config.sharedFfn);
    m_sharedGate = LinearLayer(context, {.name = config.prefix + ".shared_expert_gate", .in = config.hidden, .out = 1},
                               types.compute);
}

MixtureOfExperts::GatedMlp MixtureOfExperts::makeMlp(const kernels::Context& context, const ElementTypes& types,
                                                     const std::string& prefix, int64_t ffn) const {
    const auto makeLinear = [&](const std::string& name, int64_t out, int64_t in) {
        return LinearLayer(context, {.name = prefix + name, .in = in, .out = out}, types);
    };
    return {makeLinear(m_config.gateName, ffn, m_config.hidden), makeLinear(m_config.upName, ffn, m_config.hidden),
            makeLinear(m_config.downName, m_config.hidden, ffn)};
}

Var MixtureOfExperts::applyMlp(const Context& context, GatedMlp& mlp, const Var& x) const {
    const Var gate = mlp.gate.apply(context, x);
    const Var up = mlp.up.apply(context, x);
    return mlp.down.apply(context, gatedActivation(context, gate, up, m_activation));
}

Var MixtureOfExperts::apply(const Context& context, const Var& x) {
    const auto normalisation =
        m_config.normalisesWeights ? kernels::RoutingWeights::Normalised : kernels::RoutingWeights::Softmax;
    const ExpertRouting routing =
        routeExperts(context, m_router.apply(context, x), m_config.expertsPerToken, normalisation);
    const std::vector<int64_t>& bounds = routing.expertBounds;
    const std::vector<Var> rows = splitRows(context, gatherRows(context, x, routing), bounds);
    std::vector<Var> results;
    for (size_t e = 0; e < m_experts.size(); ++e) {
        if (bounds[e] == bounds[e + 1]) continue;
        const auto sourceRows =
            std::span(routing.sourceRows)
                .subspan(static_cast<size_t>(bounds[e]), static_cast<size_t>(bounds[e + 1] - bounds[e]));
        const std::vector<AdapterRows> adapterRows = adapterRowsOf(context.adapterRows, sourceRows);
        const Context inner = context.withRows(adapterRows);
        results.push_back(applyMlp(inner, m_experts[e], rows[e]));
    }
    // Without tokens there are no results, and the input is as empty as the output.
    const Var mixed = results.empty() ? x : combineRows(context, concatRows(context, results), routing);
    return m_shared ? add(context, mixed, applyShared(context, x)) : mixed;
}

Var MixtureOfExperts::applyShared(const Context& context, const Var& x) {
    const Var gate = activation(context, m_sharedGate.apply(context, x), kernels::Activation::Sigmoid);
    return scaleRows(context, applyMlp(context, *m_shared, x), gate);
}

void MixtureOfExperts::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    const auto visitMlp = [&visit](GatedMlp& mlp) {
        for (LinearLayer* layer : {&mlp.gate, &mlp.up, &mlp.down}) visit(*layer);
    };
    visit(m_router);
    for (GatedMlp& expert : m_experts) visitMlp(expert);
    if (!m_shared) return;
    visitMlp(*m_shared);
    visit(m_sharedGate);
}

void MixtureOfExperts::visitParameters(const std::function<void(Parameter&)>& visit) {
    visitLinears([&visit](LinearLayer& layer) { layer.visitParameters(visit); });
}

}  // namespace wb::core
