// SPDX-License-Identifier: Apache-2.0
// Mixtral: Mistral with a mixture of experts in every layer; weights of the chosen experts add up to one.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

BlockConfig mixtralBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = llamaBlock(family, layer);
    MixtureConfig mixture;
    mixture.prefix = fmt::format("model.layers.{}.block_sparse_moe", layer);
    mixture.gateName = "w1";
    mixture.upName = "w3";
    mixture.downName = "w2";
    mixture.hidden = family.sizes.hiddenSize;
    mixture.ffn = family.sizes.intermediateSize;
    mixture.numExperts = countOf(family.json, "num_local_experts", 1, 4096);
    mixture.expertsPerToken = countOf(family.json, "num_experts_per_tok", 1, mixture.numExperts);
    mixture.normalisesWeights = true;
    block.feedForward.mixture = mixture;
    return block;
}

}  // namespace

NetworkConfig describeMixtral(const FamilyConfig& family) {
    return llamaNetwork(family, mixtralBlock);
}

}  // namespace wb::core
