// SPDX-License-Identifier: Apache-2.0
// StableLM: Llama with layer norms and a quarter of each head rotated; some have attention and feed-forward side by
// side behind one norm.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

BlockConfig stableLmBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    const bool hasBias = family.json.boolean("use_qkv_bias").value_or(false);
    BlockConfig block = llamaBlock(family, layer);
    addProjections(block.attention, sizes.hiddenSize, prefix + "self_attn.", {}, hasBias, false);
    block.attentionNorms.input = layerNormOf(sizes, prefix + "input_layernorm", sizes.hiddenSize);
    block.isParallel = family.json.boolean("use_parallel_residual").value_or(false);
    block.feedForwardNorms.input =
        block.isParallel ? NormConfig{} : layerNormOf(sizes, prefix + "post_attention_layernorm", sizes.hiddenSize);
    return block;
}

}  // namespace

NetworkConfig describeStableLm(const FamilyConfig& family) {
    requireBoolean(family.json, "qk_layernorm", false, false);
    NetworkConfig network = llamaNetwork(family, stableLmBlock);
    network.decoder.finalNorm = layerNormOf(family.sizes, "model.norm", family.sizes.hiddenSize);
    return network;
}

}  // namespace wb::core
