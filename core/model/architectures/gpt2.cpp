// SPDX-License-Identifier: Apache-2.0
// GPT-2: learned positions, layer norms, one fused projection for q, k and v, all weights stored transposed.
#include "core/model/architectures/family.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::core {
namespace {

BlockConfig gpt2Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("transformer.h.{}.", layer);
    const int64_t hidden = sizes.hiddenSize;
    BlockConfig block;
    block.hidden = hidden;
    block.attention = attentionOf(sizes, layer);
    block.attention.rotary = -1;
    if (family.json.boolean("scale_attn_by_inverse_layer_idx").value_or(false)) {
        const double rootDim = std::sqrt(static_cast<double>(sizes.headDim));
        block.attention.scale = static_cast<float>(1.0 / (rootDim * static_cast<double>(layer + 1)));
    }
    addFused(block.attention, hidden, prefix + "attn.c_attn", true, concatenatedHeads(block.attention));
    block.attention.output = projection(prefix + "attn.c_proj", hidden, hidden, true);
    block.attentionNorms.input = layerNormOf(sizes, prefix + "ln_1", hidden);
    block.feedForward = plainFeedForward(family, prefix + "mlp.c_fc", prefix + "mlp.c_proj", true);
    block.feedForwardNorms.input = layerNormOf(sizes, prefix + "ln_2", hidden);
    block.attention.fused.isTransposedInFile = true;
    block.attention.output.isTransposedInFile = true;
    block.feedForward.up.isTransposedInFile = true;
    block.feedForward.down.isTransposedInFile = true;
    return block;
}

}  // namespace

NetworkConfig describeGpt2(const FamilyConfig& family) {
    const ModelConfig& sizes = family.sizes;
    requireBoolean(family.json, "add_cross_attention", false, false);
    requireBoolean(family.json, "scale_attn_weights", true, true);
    NetworkConfig network;
    network.prefix = "transformer.";
    network.decoder.embedding = "transformer.wte";
    network.decoder.positions = {.name = "transformer.wpe", .rows = sizes.maxPositions};
    for (int64_t layer = 0; layer < sizes.numLayers; ++layer)
        network.decoder.blocks.push_back(gpt2Block(family, layer));
    network.decoder.finalNorm = layerNormOf(sizes, "transformer.ln_f", sizes.hiddenSize);
    return network;
}

}  // namespace wb::core
