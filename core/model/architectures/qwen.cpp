// SPDX-License-Identifier: Apache-2.0
// Qwen3 normalises queries and keys per head and has no biases there. The mixtures replace the feed-forward of most
// layers; Qwen2's has an expert that every token passes, scaled by a gate of its own.
#include "core/model/architectures/family.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::core {
namespace {

constexpr int64_t kMostExperts = 4096;

BlockConfig qwen3Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    BlockConfig block = llamaBlock(family, layer);
    const std::string prefix = fmt::format("model.layers.{}.self_attn.", layer);
    block.attention.queryNorm = rmsNormOf(sizes, prefix + "q_norm", sizes.headDim);
    block.attention.keyNorm = rmsNormOf(sizes, prefix + "k_norm", sizes.headDim);
    return block;
}

bool isSparse(const JsonObject& json, int64_t layer) {
    if (const nlohmann::json* dense = json.find("mlp_only_layers")) {
        if (std::ranges::find(*dense, nlohmann::json(layer)) != dense->end()) return false;
    }
    return (layer + 1) % std::max<int64_t>(json.integer("decoder_sparse_step").value_or(1), 1) == 0;
}

MixtureConfig mixtureOf(const FamilyConfig& family, int64_t layer) {
    const JsonObject& json = family.json;
    MixtureConfig mixture;
    mixture.prefix = fmt::format("model.layers.{}.mlp", layer);
    mixture.hidden = family.sizes.hiddenSize;
    mixture.ffn = countOf(json, "moe_intermediate_size", 1, 1 << 20);
    mixture.numExperts = countOf(json, json.has("num_experts") ? "num_experts" : "num_local_experts", 1, kMostExperts);
    mixture.expertsPerToken = countOf(json, "num_experts_per_tok", 1, mixture.numExperts);
    mixture.normalisesWeights = json.boolean("norm_topk_prob").value_or(false);
    return mixture;
}

BlockConfig qwen2MoeBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = llamaBlock(family, layer);
    if (!isSparse(family.json, layer)) return block;
    MixtureConfig mixture = mixtureOf(family, layer);
    mixture.sharedFfn = countOf(family.json, "shared_expert_intermediate_size", 1, 1 << 20);
    block.feedForward.mixture = mixture;
    return block;
}

BlockConfig qwen3MoeBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = qwen3Block(family, layer);
    if (isSparse(family.json, layer)) block.feedForward.mixture = mixtureOf(family, layer);
    return block;
}

}  // namespace

NetworkConfig describeQwen3(const FamilyConfig& family) {
    return llamaNetwork(family, qwen3Block);
}

NetworkConfig describeQwen2Moe(const FamilyConfig& family) {
    return llamaNetwork(family, qwen2MoeBlock);
}

NetworkConfig describeQwen3Moe(const FamilyConfig& family) {
    return llamaNetwork(family, qwen3MoeBlock);
}

}  // namespace wb::core
