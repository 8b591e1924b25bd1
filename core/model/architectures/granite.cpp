// SPDX-License-Identifier: Apache-2.0
// Granite: Llama with four multipliers, on embeddings, scores, what sub-layers add, and logits.
#include "core/model/architectures/family.h"

namespace wb::core {
namespace {

BlockConfig graniteBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = llamaBlock(family, layer);
    block.attention.scale = static_cast<float>(family.json.number("attention_multiplier").value_or(1.0));
    block.residualScale = static_cast<float>(family.json.number("residual_multiplier").value_or(1.0));
    return block;
}

}  // namespace

NetworkConfig describeGranite(const FamilyConfig& family) {
    NetworkConfig network = llamaNetwork(family, graniteBlock);
    network.decoder.embeddingScale = static_cast<float>(family.json.number("embedding_multiplier").value_or(1.0));
    network.head.logitScale = static_cast<float>(1.0 / family.json.number("logits_scaling").value_or(1.0));
    return network;
}

}  // namespace wb::core
