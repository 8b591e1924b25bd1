// SPDX-License-Identifier: Apache-2.0
// OLMo 2: norms stand behind the sub-layers instead of before them, and over all queries and all keys of a token.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

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

NetworkConfig describeOlmo2(const FamilyConfig& family) {
    return llamaNetwork(family, olmo2Block);
}

}  // namespace wb::core
