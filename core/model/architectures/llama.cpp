// SPDX-License-Identifier: Apache-2.0
// Llama and its closest relatives. Mistral adds a sliding window and Qwen2 biases on q, k and v, both values of the
// shared config; so one function serves all three, and other families start from it.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {

BlockConfig llamaBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    block.attention = attentionOf(sizes, layer);
    addProjections(block.attention, sizes.hiddenSize, prefix + "self_attn.", {}, sizes.attentionBias, sizes.outputBias);
    block.attentionNorms.input = rmsNormOf(sizes, prefix + "input_layernorm", sizes.hiddenSize);
    block.feedForward = gatedFeedForward(family, prefix + "mlp.", sizes.mlpBias);
    block.feedForwardNorms.input = rmsNormOf(sizes, prefix + "post_attention_layernorm", sizes.hiddenSize);
    return block;
}

NetworkConfig llamaNetwork(const FamilyConfig& family, BlockConfig (*block)(const FamilyConfig&, int64_t layer)) {
    const ModelConfig& sizes = family.sizes;
    NetworkConfig network;
    network.prefix = "model.";
    network.decoder.embedding = "model.embed_tokens";
    network.decoder.rotary = {rotaryOf(sizes)};
    for (int64_t layer = 0; layer < sizes.numLayers; ++layer) network.decoder.blocks.push_back(block(family, layer));
    network.decoder.finalNorm = rmsNormOf(sizes, "model.norm", sizes.hiddenSize);
    return network;
}

NetworkConfig describeLlama(const FamilyConfig& family) {
    return llamaNetwork(family, llamaBlock);
}

}  // namespace wb::core
