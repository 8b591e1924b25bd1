// SPDX-License-Identifier: Apache-2.0
#include "core/model/transformer_block.h"

namespace wb::core {

TransformerBlock::Norms::Norms(const kernels::Context& context, const SubLayerNorms& config, DType dtype)
    : input(context, config.input, dtype), output(context, config.output, dtype), sum(context, config.sum, dtype) {}

void TransformerBlock::Norms::visitParameters(const std::function<void(Parameter&)>& visit) {
    for (NormLayer* norm : {&input, &output, &sum}) norm->visitParameters(visit);
}

TransformerBlock::TransformerBlock(const kernels::Context& context, const BlockConfig& config,
                                   const ElementTypes& types, int64_t layer)
    : m_config(config),
      m_attentionNorms(context, config.attentionNorms, types.compute),
      m_attention(context, config.attention, types, layer),
      m_crossNorms(context, config.crossNorms, types.compute),
      m_feedForwardNorms(context, config.feedForwardNorms, types.compute),
      m_feedForward(context, config.feedForward, types) {
    if (config.crossAttention) m_crossAttention.emplace(context, *config.crossAttention, types, layer);
}

NormedSum TransformerBlock::enter(const Context& context, const ResidualStream& stream, Norms& norms) {
    if (stream.pending.value.isPresent()) return norms.input.applyToSum(context, stream.pending, stream.sum);
    return {norms.input.apply(context, stream.sum), stream.sum};
}

ResidualStream TransformerBlock::leave(const Context& context, const Var& sum, const Var& out, Norms& norms) {
    Var added = norms.output.apply(context, out);
    if (m_config.residualScale != 1.0F) added = scale(context, added, m_config.residualScale);
    if (norms.sum.exists()) return {norms.sum.applyToSum(context, added, sum).normed, {}};
    return {sum, added};
}

ResidualStream TransformerBlock::forwardParallel(const Context& context, const ResidualStream& stream,
                                                 const SelfAttentionInput& input) {
    const NormedSum entered = enter(context, stream, m_attentionNorms);
    NormLayer& ownNorm = m_feedForwardNorms.input;
    const Var read = ownNorm.exists() ? ownNorm.apply(context, entered.sum) : entered.normed;
    const Var attended = m_attention.apply(context, entered.normed, input);
    return {entered.sum, add(context, attended, m_feedForward.apply(context, read))};
}

ResidualStream TransformerBlock::forward(const Context& context, const ResidualStream& stream,
                                         const SelfAttentionInput& input, const CrossAttentionInput* cross) {
    if (m_config.isParallel) return forwardParallel(context, stream, input);
    NormedSum entered = enter(context, stream, m_attentionNorms);
    ResidualStream current =
        leave(context, entered.sum, m_attention.apply(context, entered.normed, input), m_attentionNorms);
    if (m_crossAttention) {
        entered = enter(context, current, m_crossNorms);
        current =
            leave(context, entered.sum, m_crossAttention->applyCross(context, entered.normed, *cross), m_crossNorms);
    }
    entered = enter(context, current, m_feedForwardNorms);
    return leave(context, entered.sum, m_feedForward.apply(context, entered.normed), m_feedForwardNorms);
}

void TransformerBlock::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    m_attention.visitLinears(visit);
    if (m_crossAttention) m_crossAttention->visitLinears(visit);
    m_feedForward.visitLinears(visit);
}

void TransformerBlock::visitParameters(const std::function<void(Parameter&)>& visit) {
    m_attentionNorms.visitParameters(visit);
    m_attention.visitParameters(visit);
    m_crossNorms.visitParameters(visit);
    if (m_crossAttention) m_crossAttention->visitParameters(visit);
    m_feedForwardNorms.visitParameters(visit);
    m_feedForward.visitParameters(visit);
}

}  // namespace wb::core
