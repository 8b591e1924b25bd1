// SPDX-License-Identifier: Apache-2.0
// Phi-1 and Phi-2: attention and feed-forward side by side behind one layer norm, biases everywhere, the head included.
// Phi-3: Llama with q, k, v and gate, up fused into one projection each.
#include "core/model/architectures/family.h"
#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

BlockConfig phiBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    block.isParallel = true;
    block.attention = attentionOf(sizes, layer);
    addProjections(block.attention, sizes.hiddenSize, prefix + "self_attn.", {.output = "dense"}, true, true);
    if (family.json.boolean("qk_layernorm").value_or(false)) {
        block.attention.queryNorm = layerNormOf(sizes, prefix + "self_attn.q_layernorm", sizes.headDim);
        block.attention.keyNorm = layerNormOf(sizes, prefix + "self_attn.k_layernorm", sizes.headDim);
    }
    block.attentionNorms.input = layerNormOf(sizes, prefix + "input_layernorm", sizes.hiddenSize);
    block.feedForward = plainFeedForward(family, prefix + "mlp.fc1", prefix + "mlp.fc2", true);
    return block;
}

BlockConfig phi3Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    BlockConfig block = llamaBlock(family, layer);
    AttentionConfig& attention = block.attention;
    attention.query = attention.key = attention.value = {};
    addFused(attention, sizes.hiddenSize, prefix + "self_attn.qkv_proj", false, concatenatedHeads(attention));
    FeedForwardConfig& feedForward = block.feedForward;
    feedForward.gate = feedForward.up = {};
    feedForward.gateUp = projection(prefix + "mlp.gate_up_proj", sizes.hiddenSize, 2 * sizes.intermediateSize);
    return block;
}

}  // namespace

NetworkConfig describePhi(const FamilyConfig& family) {
    NetworkConfig network = llamaNetwork(family, phiBlock);
    network.decoder.finalNorm = layerNormOf(family.sizes, "model.final_layernorm", family.sizes.hiddenSize);
    network.head.bias = "lm_head.bias";
    return network;
}

NetworkConfig describePhi3(const FamilyConfig& family) {
    // The first files of the family call their own kind of scaling "yarn".
    if (family.sizes.ropeScaling.kind == RopeScalingKind::Yarn) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: rope_scaling type 'yarn' is not supported for phi3, whose files mean longrope",
                                family.json.sourceName())};
    }
    return llamaNetwork(family, phi3Block);
}

}  // namespace wb::core
