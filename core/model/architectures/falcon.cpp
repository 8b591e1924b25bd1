// SPDX-License-Identifier: Apache-2.0
// Falcon in its three forms: 7B (one key head, attention and feed-forward side by side behind one norm), 40B
// (new_decoder_architecture: grouped key heads, a norm for each side) and RW (one key head per query head, distances
// weighted per head instead of rotation).
#include "core/model/architectures/family.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::core {
namespace {

bool isGrouped(const FamilyConfig& family) {
    return family.json.boolean("new_decoder_architecture").value_or(false);
}

// Press et al. 2021 (arXiv:2108.12409): a geometric series; head counts that are no power of two take every other
// member of the next finer one. The reference adds them before the scale of the scores.
std::vector<float> scaledSlopes(int64_t numHeads, int64_t headDim) {
    int64_t power = 1;
    while (power * 2 <= numHeads) power *= 2;
    std::vector<float> slopes;
    const double scale = 1.0 / std::sqrt(static_cast<double>(headDim));
    const auto slope = [&](double heads, double exponent) {
        return static_cast<float>(scale * std::pow(2.0, -8.0 / heads * exponent));
    };
    for (int64_t i = 1; i <= power; ++i) slopes.push_back(slope(static_cast<double>(power), static_cast<double>(i)));
    for (int64_t i = 1; static_cast<int64_t>(slopes.size()) < numHeads; i += 2)
        slopes.push_back(slope(static_cast<double>(2 * power), static_cast<double>(i)));
    return slopes;
}

void addFalconNorms(const FamilyConfig& family, const std::string& prefix, BlockConfig& block) {
    const auto norm = [&](const char* name) {
        return layerNormOf(family.sizes, prefix + name, family.sizes.hiddenSize);
    };
    const int64_t numNorms = family.json.integer("num_ln_in_parallel_attn").value_or(isGrouped(family) ? 2 : 1);
    if (block.isParallel && numNorms == 2) {
        block.attentionNorms.input = norm("ln_attn");
        block.feedForwardNorms.input = norm("ln_mlp");
        return;
    }
    block.attentionNorms.input = norm("input_layernorm");
    if (!block.isParallel) block.feedForwardNorms.input = norm("post_attention_layernorm");
}

BlockConfig falconBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("transformer.h.{}.", layer);
    const int64_t hidden = sizes.hiddenSize;
    const bool hasBias = family.json.boolean("bias").value_or(false);
    BlockConfig block;
    block.hidden = hidden;
    block.isParallel = isGrouped(family) || family.json.boolean("parallel_attn").value_or(true);
    block.attention = attentionOf(sizes, layer);
    if (family.json.boolean("alibi").value_or(false)) {
        block.attention.rotary = -1;
        block.attention.alibiSlopes = scaledSlopes(sizes.numHeads, sizes.headDim);
    }
    addFused(block.attention, hidden, prefix + "self_attention.query_key_value", hasBias,
             groupedHeads(block.attention));
    block.attention.output = projection(prefix + "self_attention.dense", hidden, hidden, hasBias);
    block.feedForward = plainFeedForward(family, prefix + "mlp.dense_h_to_4h", prefix + "mlp.dense_4h_to_h", hasBias);
    addFalconNorms(family, prefix, block);
    return block;
}

}  // namespace

void adjustFalcon(const JsonObject& json, ModelConfig& sizes) {
    const bool isMultiQuery = json.boolean("multi_query").value_or(true);
    if (json.boolean("new_decoder_architecture").value_or(false)) {
        sizes.numKvHeads = json.integer("num_kv_heads").value_or(sizes.numHeads);
    } else {
        sizes.numKvHeads = isMultiQuery ? 1 : sizes.numHeads;
    }
}

NetworkConfig describeFalcon(const FamilyConfig& family) {
    NetworkConfig network = llamaNetwork(family, falconBlock);
    network.prefix = "transformer.";
    network.decoder.embedding = "transformer.word_embeddings";
    network.decoder.finalNorm = layerNormOf(family.sizes, "transformer.ln_f", family.sizes.hiddenSize);
    return network;
}

}  // namespace wb::core
