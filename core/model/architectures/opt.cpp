// SPDX-License-Identifier: Apache-2.0
// OPT: learned positions that start at row 2, ReLU, biases; the 350M model normalises after each sum instead of before
// and has narrower embeddings than blocks.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

constexpr int64_t kPositionOffset = 2;

bool normsFirst(const FamilyConfig& family) {
    return family.json.boolean("do_layer_norm_before").value_or(true);
}

NormConfig optNorm(const FamilyConfig& family, const std::string& name) {
    const bool hasWeights = family.json.boolean("layer_norm_elementwise_affine").value_or(true);
    return layerNormOf(family.sizes, hasWeights ? name : "", family.sizes.hiddenSize, hasWeights);
}

BlockConfig optBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.decoder.layers.{}.", layer);
    const bool hasBias = family.json.boolean("enable_bias").value_or(true);
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    block.attention = attentionOf(sizes, layer);
    block.attention.rotary = -1;
    addProjections(block.attention, sizes.hiddenSize, prefix + "self_attn.", {.output = "out_proj"}, hasBias, hasBias);
    block.feedForward = plainFeedForward(family, prefix + "fc1", prefix + "fc2", hasBias);
    const NormConfig attentionNorm = optNorm(family, prefix + "self_attn_layer_norm");
    const NormConfig feedForwardNorm = optNorm(family, prefix + "final_layer_norm");
    (normsFirst(family) ? block.attentionNorms.input : block.attentionNorms.sum) = attentionNorm;
    (normsFirst(family) ? block.feedForwardNorms.input : block.feedForwardNorms.sum) = feedForwardNorm;
    return block;
}

}  // namespace

NetworkConfig describeOpt(const FamilyConfig& family) {
    const ModelConfig& sizes = family.sizes;
    const int64_t embeddingSize = countOf(family.json, "word_embed_proj_dim", 1, 1 << 17, sizes.hiddenSize);
    NetworkConfig network;
    network.embeddingSize = embeddingSize;
    if (embeddingSize != sizes.hiddenSize) {
        network.decoder.projectIn = projection("model.decoder.project_in", embeddingSize, sizes.hiddenSize);
        network.decoder.projectOut = projection("model.decoder.project_out", sizes.hiddenSize, embeddingSize);
    }
    network.prefix = "model.";
    network.decoder.embedding = "model.decoder.embed_tokens";
    network.decoder.positions = {.name = "model.decoder.embed_positions",
                                 .rows = sizes.maxPositions + kPositionOffset,
                                 .offset = kPositionOffset};
    for (int64_t layer = 0; layer < sizes.numLayers; ++layer) network.decoder.blocks.push_back(optBlock(family, layer));
    const bool hasFinalNorm = normsFirst(family) && !family.json.boolean("_remove_final_layer_norm").value_or(false);
    if (hasFinalNorm) network.decoder.finalNorm = optNorm(family, "model.decoder.final_layer_norm");
    return network;
}

}  // namespace wb::core
