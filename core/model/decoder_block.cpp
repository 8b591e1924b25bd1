// SPDX-License-Identifier: Apache-2.0
#include "core/model/decoder_block.h"

#include <array>

namespace wb::core {
namespace {

using kernels::MemoryOwner;

enum class Bias { No, Yes };

LinearLayer makeLinear(const kernels::Context& context, DType dtype, const std::string& name, int64_t out, int64_t in,
                       Bias bias) {
    LinearLayer layer;
    layer.name = name;
    layer.weight = {name + ".weight", Tensor::empty(context, dtype, Shape{out, in}, MemoryOwner::Weights), {}};
    if (bias == Bias::Yes) {
        layer.bias = Parameter{name + ".bias", Tensor::empty(context, dtype, Shape{out}, MemoryOwner::Weights), {}};
    }
    return layer;
}

Parameter makeNorm(const kernels::Context& context, DType dtype, const std::string& name, int64_t size) {
    return {name + ".weight", Tensor::empty(context, dtype, Shape{size}, MemoryOwner::Weights), {}};
}

Bias biasIf(bool hasBias) {
    return hasBias ? Bias::Yes : Bias::No;
}

}  // namespace

DecoderBlock::DecoderBlock(const kernels::Context& context, const BlockConfig& config, DType dtype,
                           const std::string& prefix, int64_t layer)
    : m_config(config), m_layer(layer) {
    const int64_t hidden = config.hidden;
    const int64_t queryWidth = config.numHeads * config.headDim;
    const int64_t keyWidth = config.numKvHeads * config.headDim;
    const Bias qkvBias = biasIf(config.hasQkvBias);
    const Bias mlpBias = biasIf(config.hasMlpBias);
    const std::string attention = prefix + ".self_attn.";
    const std::string mlp = prefix + ".mlp.";
    m_inputNorm = makeNorm(context, dtype, prefix + ".input_layernorm", hidden);
    m_query = makeLinear(context, dtype, attention + "q_proj", queryWidth, hidden, qkvBias);
    m_key = makeLinear(context, dtype, attention + "k_proj", keyWidth, hidden, qkvBias);
    m_value = makeLinear(context, dtype, attention + "v_proj", keyWidth, hidden, qkvBias);
    m_output = makeLinear(context, dtype, attention + "o_proj", hidden, queryWidth, biasIf(config.hasOutputBias));
    m_postNorm = makeNorm(context, dtype, prefix + ".post_attention_layernorm", hidden);
    m_gate = makeLinear(context, dtype, mlp + "gate_proj", config.ffn, hidden, mlpBias);
    m_up = makeLinear(context, dtype, mlp + "up_proj", config.ffn, hidden, mlpBias);
    m_down = makeLinear(context, dtype, mlp + "down_proj", hidden, config.ffn, mlpBias);
}

ResidualStream DecoderBlock::forward(const Context& context, const ResidualStream& stream, const PackedInput& input,
                                     const Tensor& frequencies, const CacheUse& use) {
    NormedSum entered{{}, stream.sum};
    if (stream.pending.value.isPresent()) {
        entered = addRmsNorm(context, stream.pending, stream.sum, m_inputNorm, m_config.normEps);
    } else {
        entered.normed = rmsNorm(context, stream.sum, m_inputNorm, m_config.normEps);
    }
    const Var attended = attend(context, entered.normed, input, frequencies, use);
    const NormedSum middle = addRmsNorm(context, attended, entered.sum, m_postNorm, m_config.normEps);
    const Var gate = m_gate.apply(context, middle.normed);
    const Var up = m_up.apply(context, middle.normed);
    const Var activated = gatedActivation(context, gate, up, m_config.activation);
    return {middle.sum, m_down.apply(context, activated)};
}

kernels::AttentionOptions DecoderBlock::attentionOptions() const {
    kernels::AttentionOptions options;
    options.isCausal = true;
    if (m_config.window > 0) options.windowLeft = static_cast<int32_t>(m_config.window - 1);
    return options;
}

Var DecoderBlock::attend(const Context& context, const Var& x, const PackedInput& input, const Tensor& frequencies,
                         const CacheUse& use) {
    const int64_t tokens = x.value.shape()[0];
    const Shape queryShape{tokens, m_config.numHeads, m_config.headDim};
    const Shape keyShape{tokens, m_config.numKvHeads, m_config.headDim};
    const auto rotated = [&](const Var& projected, const Shape& shape) {
        return rotary(context, reshape(context, projected, shape), input.positions, frequencies, m_config.rotaryLayout,
                      m_config.rotaryMagnitude);
    };
    const Var q = rotated(m_query.apply(context, x), queryShape);
    const Var k = rotated(m_key.apply(context, x), keyShape);
    const Var v = reshape(context, m_value.apply(context, x), keyShape);
    const Var mixed = use.cache != nullptr
                          ? attendCached(context, q, k, v, input, use)
                          : attention(context, q, k, v, input.bounds, input.bounds, attentionOptions());
    const Shape flat{tokens, m_config.numHeads * m_config.headDim};
    return m_output.apply(context, reshape(context, mixed, flat));
}

Var DecoderBlock::attendCached(const Context& context, const Var& q, const Var& k, const Var& v,
                               const PackedInput& input, const CacheUse& use) const {
    const Tensor& keys = use.cache->keys(m_layer);
    const Tensor& values = use.cache->values(m_layer);
    kernels::kvCacheStore(context.device, {.k = k.value.view(),
                                           .v = v.value.view(),
                                           .slots = use.step->slots,
                                           .keyCache = keys.view(),
                                           .valueCache = values.view()});
    Tensor out = Tensor::empty(context.device, q.value.dtype(), q.value.shape(), MemoryOwner::Activations);
    kernels::pagedAttention(context.device, {.q = q.value.view(),
                                             .keyCache = keys.view(),
                                             .valueCache = values.view(),
                                             .bias = {},
                                             .cuSeqlensQ = *input.bounds,
                                             .keyLengths = use.step->keyLengths,
                                             .blockTables = use.step->blockTables,
                                             .maxBlocks = use.step->maxBlocks,
                                             .out = out.view(),
                                             .options = attentionOptions(),
                                             .workspace = {}});
    return {std::move(out)};
}

void DecoderBlock::visitLinears(const std::function<void(LinearLayer&)>& visit) {
    for (LinearLayer* layer : {&m_query, &m_key, &m_value, &m_output, &m_gate, &m_up, &m_down}) visit(*layer);
}

void DecoderBlock::visitParameters(const std::function<void(Parameter&)>& visit) {
    const auto visitLinear = [&visit](LinearLayer& layer) {
        visit(layer.weight);
        if (layer.bias) visit(*layer.bias);
    };
    visit(m_inputNorm);
    for (LinearLayer* layer : {&m_query, &m_key, &m_value, &m_output}) visitLinear(*layer);
    visit(m_postNorm);
    for (LinearLayer* layer : {&m_gate, &m_up, &m_down}) visitLinear(*layer);
}

}  // namespace wb::core
