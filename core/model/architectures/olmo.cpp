// SPDX-License-Identifier: Apache-2.0
// OLMo: Llama with layer norms that have no weights. OLMo 2: norms stand behind the sub-layers instead of before them,
// and over all queries and all keys of a token.
#include "core/model/architectures/family.h"
#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

BlockConfig olmoBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = llamaBlock(family, layer);
    const NormConfig bare = layerNormOf(family.sizes, "", family.sizes.hiddenSize, false);
    block.attentionNorms.input = bare;
    block.feedForwardNorms.input = bare;
    return block;
}

BlockConfig olmo2Block(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    BlockConfig block = llamaBlock(family, layer);
    block.attentionNorms = {.output = rmsNormOf(sizes, prefix + "post_attention_layernorm", sizes.hiddenSize)};
    block.feedForwardNorms = {.output = rmsNormOf(sizes, prefix + "post_feedforward_layernorm", sizes.hiddenSize)};
    block.attention.queryNorm = rmsNormOf(sizes, prefix + "self_attn.q_norm", sizes.numHeads * sizes.headDim);
    block.attention.keyNorm = rmsNormOf(sizes, prefix + "self_attn.k_norm", sizes.numKvHeads * sizes.headDim);
    return block;
}

}  // namespace

NetworkConfig describeOlmo(const FamilyConfig& family) {
    if (family.json.has("clip_qkv")) {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: 'clip_qkv' is not supported", family.json.sourceName())};
    }
    NetworkConfig network = llamaNetwork(family, olmoBlock);
    network.decoder.finalNorm = layerNormOf(family.sizes, "", family.sizes.hiddenSize, false);
    return network;
}

NetworkConfig describeOlmo2(const FamilyConfig& family) {
    return llamaNetwork(family, olmo2Block);
}

}  // namespace wb::core
