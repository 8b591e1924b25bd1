// SPDX-License-Identifier: Apache-2.0
#include "core/model/norm_layer.h"

#include "kernels/elementwise.h"

namespace wb::core {
namespace {

// The rows of adapters where each row of a batch is `factor` rows of the norm (heads that are normalised one by one).
std::vector<AdapterRows> multiplied(std::span<const AdapterRows> rows, int64_t factor) {
    std::vector<AdapterRows> result;
    for (const AdapterRows& part : rows) result.push_back({part.begin * factor, part.end * factor, part.adapter});
    return result;
}

}  // namespace

using kernels::MemoryOwner;

NormLayer::NormLayer(const kernels::Context& context, const NormConfig& config, DType dtype) : m_config(config) {
    if (!exists()) return;
    const Shape shape{config.size};
    m_weight = {config.name + ".weight", Tensor::empty(context, dtype, shape, MemoryOwner::Weights), {}};
    if (config.name.empty()) kernels::fill(context, {.out = m_weight.value.view(), .value = 1.0F});
    if (config.hasBias)
        m_bias = {config.name + ".bias", Tensor::empty(context, dtype, shape, MemoryOwner::Weights), {}};
}

Var NormLayer::apply(const Context& context, const Var& x) {
    if (!exists()) return x;
    const Shape shape = x.value.shape();
    const Shape rows{shape.count() / m_config.size, m_config.size};
    const bool isShaped = shape == rows;
    const Var flat = isShaped ? x : reshape(context, x, rows);
    const bool isReplaced = !m_weight.replacements.empty() || !m_bias.replacements.empty();
    std::vector<AdapterRows> adapterRows;
    if (!isShaped && isReplaced && shape[0] > 0) adapterRows = multiplied(context.adapterRows, rows[0] / shape[0]);
    const Context inner = isShaped ? context : context.withRows(adapterRows);
    const Var normed = m_config.kind == NormKind::Rms
                           ? rmsNorm(inner, flat, m_weight, m_config.eps, m_config.weightOffset)
                           : layerNorm(inner, flat, m_weight, bias(), m_config.eps);
    return isShaped ? normed : reshape(context, normed, shape);
}

NormedSum NormLayer::applyToSum(const Context& context, const Var& x, const Var& residual) {
    if (!exists()) {
        const Var sum = add(context, x, residual);
        return {sum, sum};
    }
    return m_config.kind == NormKind::Rms
               ? addRmsNorm(context, x, residual, m_weight, m_config.eps, m_config.weightOffset)
               : addLayerNorm(context, x, residual, m_weight, bias(), m_config.eps);
}

void NormLayer::visitParameters(const std::function<void(Parameter&)>& visit) {
    if (!exists() || m_config.name.empty()) return;
    visit(m_weight);
    if (m_config.hasBias) visit(m_bias);
}

}  // namespace wb::core
