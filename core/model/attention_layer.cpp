// SPDX-License-Identifier: Apache-2.0
#include "core/model/attention_layer.h"

#include <array>
#include <utility>

namespace wb::core {

using kernels::MemoryOwner;

AttentionLayer::AttentionLayer(const kernels::Context& context, const AttentionConfig& config,
                               const ElementTypes& types, int64_t layer)
    : m_config(config),
      m_layer(layer),
      m_query(context, config.query, types),
      m_key(context, config.key, types),
      m_value(context, config.value, types),
      m_fused(context, config.fused, types),
      m_output(context, config.output, types),
      m_queryNorm(context, config.queryNorm, types.compute),
      m_keyNorm(context, config.keyNorm, types.compute) {
    if (m_fused.exists()) {
        const FusedHeads& heads = config.heads;
        m_parts = std::make_shared<const std::vector<ColumnPart>>(std::vector<ColumnPart>{
            {heads.query, config.headDim}, {heads.key, config.headDim}, {heads.value, config.headDim}});
    }
    if (!config.alibiSlopes.empty()) {
        m_alibi.value =
            Tensor::empty(context, gradientDtype(types.compute), Shape{config.numHeads}, MemoryOwner::Weights);
        assignFloats(context, m_alibi.value, config.alibiSlopes);
    }
}

AttentionLayer::Heads AttentionLayer::projectFused(const Context& context, const Var& x) {
    std::vector<Var> parts = splitColumns(context, m_fused.apply(context, x), m_parts);
    return {std::move(parts[0]), std::move(parts[1]), std::move(parts[2])};
}

AttentionLayer::Heads AttentionLayer::project(const Context& context, const Var& x) {
    const int64_t tokens = x.value.shape()[0];
    const Shape queryShape{tokens, m_config.numHeads, m_config.headDim};
    const Shape keyShape{tokens, m_config.numKvHeads, m_config.headDim};
    Heads heads;
    if (m_fused.exists()) {
        heads = projectFused(context, x);
    } else {
        const std::array<LinearCall, 3> calls{m_query.call(), m_key.call(), m_value.call()};
        const std::vector<Var> parts = linearGroup(context, x, calls);
        heads = {reshape(context, parts[0], queryShape), reshape(context, parts[1], keyShape),
                 reshape(context, parts[2], keyShape)};
    }
    heads.query = m_queryNorm.apply(context, heads.query);
    heads.key = m_keyNorm.apply(context, heads.key);
    return heads;
}

Var AttentionLayer::rotated(const Context& context, const Var& heads, const SelfAttentionInput& input) const {
    if (m_config.rotary < 0) return heads;
    const RotaryTable& table = input.rotary[static_cast<size_t>(m_config.rotary)];
    return rotary(context, heads, input.rows.positions, table.frequencies, m_config.rotaryLayout, table.magnitude);
}

const Var* AttentionLayer::biasOf(const SelfAttentionInput& input) const {
    return m_alibi.value.isPresent() ? &m_alibi : input.relativeBias;
}

kernels::AttentionOptions AttentionLayer::options(const Var* bias) const {
    kernels::AttentionOptions options;
    options.scale = m_config.scale;
    options.softCap = m_config.softCap;
    options.isCausal = m_config.isCausal;
    if (m_config.window > 0) options.windowLeft = static_cast<int32_t>(m_config.window - 1);
    if (bias != nullptr) {
        options.bias = bias == &m_alibi ? kernels::AttentionBias::Alibi : kernels::AttentionBias::DistanceTable;
    }
    return options;
}

Var AttentionLayer::output(const Context& context, const Var& mixed) {
    const Shape flat{mixed.value.shape()[0], m_config.numHeads * m_config.headDim};
    return m_output.apply(context, reshape(context, mixed, flat));
}

Var AttentionLayer::apply(const Context& context, const Var& x, const SelfAttentionInput& input) {
    Heads heads = project(context, x);
    heads.query = rotated(context, heads.query, input);
    heads.key = rotated(context, heads.key, input);
    if (input.cache.cache != nullptr) return output(context, attendCached(context, heads, input));
    const Var* bias = biasOf(input);
    const SequenceBounds& bounds = input.rows.bounds;
    return output(context,
                  attention(context, heads.query, heads.key, heads.value, bounds, bounds, options(bias), bias));
}

Var AttentionLayer::attendCached(const Context& context, const Heads& heads, const SelfAttentionInput& input) const {
    const CacheUse& use = input.cache;
    const Tensor& keys = use.cache->keys(m_layer);
    const Tensor& values = use.cache->values(m_layer);
    kernels::kvCacheStore(context.device, {.k = heads.key.value.view(),
                                           .v = heads.value.value.view(),
                                           .slots = use.step->slots,
                                           .keyCache = keys.view(),
                                           .valueCache = values.view()});
    const Var* bias = biasOf(input);
    const Tensor& query = heads.query.value;
    Tensor out = Tensor::empty(context.device, query.dtype(), query.shape(), MemoryOwner::Activations);
    kernels::pagedAttention(context.device, {.q = query.view(),
                                             .keyCache = keys.view(),
                                             .valueCache = values.view(),
                                             .bias = bias != nullptr ? bias->value.view() : kernels::View{},
                                             .cuSeqlensQ = *input.rows.bounds,
                                             .keyLengths = use.step->keyLengths,
                                             .blockTables = use.step->blockTables,
                                             .maxBlocks = use.step->maxBlocks,
                                             .maxKeyLength = use.step->maxKeyLength,
                                             .out = out.view(),
                                             .options = options(bias),
                                             .workspace = {}});
    return {std::move(out)};
}

AttentionLayer::KeyValue AttentionLayer::crossKeyValue(const Context& context, const Var& encoded) {
    const Shape shape{encoded.value.shape()[0], m_config.numKvHeads, m_config.headDim};
    return {reshape(context, m_key.apply(context, encoded), shape),
            reshape(context, m_value.apply(context, encoded), shape)};
}

// Every token and beam of a prompt reads the same keys, so the rows of a memory are one sequence of queries.
Var AttentionLayer::attendMemories(const Context& context, const Var& query,
                                   std::span<const MemoryRows> memories) const {
    const Tensor& q = query.value;
    Tensor out = Tensor::empty(context.device, q.dtype(), q.shape(), MemoryOwner::Activations);
    const auto layer = static_cast<size_t>(m_layer);
    for (const MemoryRows& part : memories) {
        const std::vector<int32_t> queryBounds{0, static_cast<int32_t>(part.end - part.begin)};
        const std::vector<int32_t> keyBounds{0, static_cast<int32_t>(part.memory->tokens)};
        kernels::attentionForward(context.device, {.q = q.rows(part.begin, part.end).view(),
                                                   .k = part.memory->keys[layer].view(),
                                                   .v = part.memory->values[layer].view(),
                                                   .bias = {},
                                                   .cuSeqlensQ = queryBounds,
                                                   .cuSeqlensK = keyBounds,
                                                   .out = out.rows(part.begin, part.end).view(),
                                                   .logSumExp = {},
                                                   .options = options(nullptr),
                                                   .workspace = {}});
    }
    return {std::move(out)};
}

Var AttentionLayer::applyCross(const Context& context, const Var& x, const CrossAttentionInput& input) {
    const Shape shape{x.value.shape()[0], m_config.numHeads, m_config.headDim};
    const Var query = reshape(context, m_query.apply(context, x), shape);
    if (!input.memories.empty()) return output(context, attendMemories(context, query, input.memories));
    const Context sourceContext = context.withRows(input.sourceRows);
    const KeyValue source = crossKeyValue(sourceContext, input.encoded);
    return output(context, attention(context, query, source.key, source.value, input.rows.bounds, input.sourceBounds,
                                     options(nullptr)));
}

void AttentionLayer::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    for (LinearLayer* layer : {&m_query, &m_key, &m_value, &m_fused, &m_output}) {
        if (layer->exists()) visit(*layer);
    }
}

void AttentionLayer::visitParameters(const std::function<void(Parameter&)>& visit) {
    for (LinearLayer* layer : {&m_query, &m_key, &m_value, &m_fused}) layer->visitParameters(visit);
    m_queryNorm.visitParameters(visit);
    m_keyNorm.visitParameters(visit);
    m_output.visitParameters(visit);
}

}  // namespace wb::core
