// SPDX-License-Identifier: Apache-2.0
// GPT-NeoX and Pythia: attention and feed-forward side by side behind a norm each, q, k and v of a head next to each
// other in one projection, rotation of a quarter of each head.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

BlockConfig gptNeoXBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("gpt_neox.layers.{}.", layer);
    const int64_t hidden = sizes.hiddenSize;
    const bool hasBias = family.json.boolean("attention_bias").value_or(true);
    BlockConfig block;
    block.hidden = hidden;
    block.isParallel = family.json.boolean("use_parallel_residual").value_or(true);
    block.attention = attentionOf(sizes, layer);
    addFused(block.attention, hidden, prefix + "attention.query_key_value", hasBias, groupedHeads(block.attention));
    block.attention.output = projection(prefix + "attention.dense", hidden, hidden, hasBias);
    block.attentionNorms.input = layerNormOf(sizes, prefix + "input_layernorm", hidden);
    block.feedForward = plainFeedForward(family, prefix + "mlp.dense_h_to_4h", prefix + "mlp.dense_4h_to_h", true);
    block.feedForwardNorms.input = layerNormOf(sizes, prefix + "post_attention_layernorm", hidden);
    return block;
}

}  // namespace

NetworkConfig describeGptNeoX(const FamilyConfig& family) {
    const ModelConfig& sizes = family.sizes;
    NetworkConfig network = llamaNetwork(family, gptNeoXBlock);
    network.prefix = "gpt_neox.";
    network.decoder.embedding = "gpt_neox.embed_in";
    network.decoder.finalNorm = layerNormOf(sizes, "gpt_neox.final_layer_norm", sizes.hiddenSize);
    network.head.name = "embed_out";
    return network;
}

}  // namespace wb::core
