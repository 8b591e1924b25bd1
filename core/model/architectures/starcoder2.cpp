// SPDX-License-Identifier: Apache-2.0
// StarCoder2: Llama's attention with biases, layer norms, and a feed-forward without a gate.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

BlockConfig starcoder2Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    const bool hasBias = family.json.boolean("use_bias").value_or(true);
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    block.attention = attentionOf(sizes, layer);
    addProjections(block.attention, sizes.hiddenSize, prefix + "self_attn.", {}, hasBias, hasBias);
    block.attentionNorms.input = layerNormOf(sizes, prefix + "input_layernorm", sizes.hiddenSize);
    block.feedForward = plainFeedForward(family, prefix + "mlp.c_fc", prefix + "mlp.c_proj", hasBias);
    block.feedForwardNorms.input = layerNormOf(sizes, prefix + "post_attention_layernorm", sizes.hiddenSize);
    return block;
}

}  // namespace

NetworkConfig describeStarcoder2(const FamilyConfig& family) {
    NetworkConfig network = llamaNetwork(family, starcoder2Block);
    network.decoder.finalNorm = layerNormOf(family.sizes, "model.norm", family.sizes.hiddenSize);
    return network;
}

}  // namespace wb::core
