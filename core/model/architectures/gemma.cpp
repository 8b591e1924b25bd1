// SPDX-License-Identifier: Apache-2.0
// Gemma: norms scale by 1 + weight and embeddings are multiplied by sqrt(hidden). Gemma 2 and 3 also normalise what
// each sub-layer adds and alternate windows with full attention; 2 caps scores and logits softly, 3 normalises queries
// and keys and rotates windowed layers with a base of their own.
#include "core/model/architectures/family.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::core {
namespace {

NormConfig gemmaNorm(const ModelConfig& sizes, std::string name, int64_t size) {
    return rmsNormOf(sizes, std::move(name), size, 1.0F);
}

BlockConfig gemmaBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = llamaBlock(family, layer);
    block.attentionNorms.input.weightOffset = 1.0F;
    block.feedForwardNorms.input.weightOffset = 1.0F;
    return block;
}

BlockConfig gemma2Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    const int64_t hidden = sizes.hiddenSize;
    BlockConfig block = gemmaBlock(family, layer);
    block.attentionNorms.output = gemmaNorm(sizes, prefix + "post_attention_layernorm", hidden);
    block.feedForwardNorms.input = gemmaNorm(sizes, prefix + "pre_feedforward_layernorm", hidden);
    block.feedForwardNorms.output = gemmaNorm(sizes, prefix + "post_feedforward_layernorm", hidden);
    const double scalar = family.json.number("query_pre_attn_scalar").value_or(256.0);
    block.attention.scale = static_cast<float>(1.0 / std::sqrt(scalar));
    block.attention.softCap = static_cast<float>(family.json.number("attn_logit_softcapping").value_or(0.0));
    return block;
}

BlockConfig gemma3Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.self_attn.", layer);
    BlockConfig block = gemma2Block(family, layer);
    block.attention.queryNorm = gemmaNorm(sizes, prefix + "q_norm", sizes.headDim);
    block.attention.keyNorm = gemmaNorm(sizes, prefix + "k_norm", sizes.headDim);
    block.attention.rotary = block.attention.window > 0 ? 1 : 0;
    return block;
}

NetworkConfig gemmaNetwork(const FamilyConfig& family, BlockConfig (*block)(const FamilyConfig&, int64_t)) {
    NetworkConfig network = llamaNetwork(family, block);
    network.decoder.embeddingScale = static_cast<float>(std::sqrt(static_cast<double>(family.sizes.hiddenSize)));
    network.decoder.finalNorm.weightOffset = 1.0F;
    network.head.softCap = static_cast<float>(family.json.number("final_logit_softcapping").value_or(0.0));
    return network;
}

// Files before transformers 5 keep the base of windowed layers in a key of its own.
double localTheta(const JsonObject& json) {
    double theta = json.number("rope_local_base_freq").value_or(10000.0);
    const nlohmann::json* parameters = json.find("rope_parameters");
    if (parameters == nullptr || !parameters->is_object() || !parameters->contains("sliding_attention")) return theta;
    const JsonObject local((*parameters)["sliding_attention"], json.sourceName() + ": rope_parameters");
    return local.number("rope_theta").value_or(theta);
}

}  // namespace

NetworkConfig describeGemma(const FamilyConfig& family) {
    requireBoolean(family.json, "use_bidirectional_attention", false, false);
    return gemmaNetwork(family, gemmaBlock);
}

NetworkConfig describeGemma2(const FamilyConfig& family) {
    requireBoolean(family.json, "use_bidirectional_attention", false, false);
    return gemmaNetwork(family, gemma2Block);
}

NetworkConfig describeGemma3(const FamilyConfig& family) {
    requireBoolean(family.json, "use_bidirectional_attention", false, false);
    NetworkConfig network = gemmaNetwork(family, gemma3Block);
    network.decoder.rotary.push_back(rotaryOf({}, localTheta(family.json), family.sizes.headDim));
    return network;
}

}  // namespace wb::core
