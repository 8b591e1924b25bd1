// SPDX-License-Identifier: Apache-2.0
// GPT-J and CodeGen: attention and feed-forward side by side behind one layer norm, rotation of neighbouring values in
// the first part of each head, a head with a bias. CodeGen fuses q, v, k (in this order) in four slices of the heads.
#include "core/model/architectures/family.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

constexpr int64_t kCodeGenSlices = 4;

BlockConfig gptJBlock(const FamilyConfig& family, int64_t layer) {
    const ModelConfig& sizes = family.sizes;
    const std::string prefix = fmt::format("transformer.h.{}.", layer);
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    block.isParallel = true;
    block.attention = attentionOf(sizes, layer);
    block.attention.rotaryLayout = kernels::RotaryLayout::Interleaved;
    addProjections(block.attention, sizes.hiddenSize, prefix + "attn.", {.output = "out_proj"}, false, false);
    block.attentionNorms.input = layerNormOf(sizes, prefix + "ln_1", sizes.hiddenSize);
    block.feedForward = plainFeedForward(family, prefix + "mlp.fc_in", prefix + "mlp.fc_out", true);
    return block;
}

FusedHeads codeGenHeads(const FamilyConfig& family) {
    const ModelConfig& sizes = family.sizes;
    if (sizes.numHeads % kCodeGenSlices != 0) {
        family.json.fail("n_head", fmt::format("is {}, no multiple of {}", sizes.numHeads, kCodeGenSlices));
    }
    const int64_t headsPerSlice = sizes.numHeads / kCodeGenSlices;
    const int64_t part = headsPerSlice * sizes.headDim;
    FusedHeads heads;
    for (int64_t head = 0; head < sizes.numHeads; ++head) {
        const int64_t slice = head / headsPerSlice * 3 * part;
        const int64_t inPart = head % headsPerSlice * sizes.headDim;
        heads.query.push_back(static_cast<int32_t>(slice + inPart));
        heads.value.push_back(static_cast<int32_t>(slice + part + inPart));
        heads.key.push_back(static_cast<int32_t>(slice + 2 * part + inPart));
    }
    return heads;
}

BlockConfig codeGenBlock(const FamilyConfig& family, int64_t layer) {
    BlockConfig block = gptJBlock(family, layer);
    block.attention.query = block.attention.key = block.attention.value = {};
    addFused(block.attention, family.sizes.hiddenSize, fmt::format("transformer.h.{}.attn.qkv_proj", layer), false,
             codeGenHeads(family));
    return block;
}

NetworkConfig gptJNetwork(const FamilyConfig& family, BlockConfig (*block)(const FamilyConfig&, int64_t)) {
    NetworkConfig network = llamaNetwork(family, block);
    network.prefix = "transformer.";
    network.decoder.embedding = "transformer.wte";
    network.decoder.finalNorm = layerNormOf(family.sizes, "transformer.ln_f", family.sizes.hiddenSize);
    network.head.bias = "lm_head.bias";
    return network;
}

}  // namespace

void adjustGptJ(const JsonObject& json, ModelConfig& sizes) {
    sizes.rotaryDim = json.integer("rotary_dim").value_or(sizes.headDim);
}

NetworkConfig describeGptJ(const FamilyConfig& family) {
    return gptJNetwork(family, gptJBlock);
}

NetworkConfig describeCodeGen(const FamilyConfig& family) {
    return gptJNetwork(family, codeGenBlock);
}

}  // namespace wb::core
