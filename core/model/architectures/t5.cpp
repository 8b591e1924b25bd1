// SPDX-License-Identifier: Apache-2.0
// T5 and its successors: RMS norms, no biases, scores without a scale but with a learned bias by bucketed distance that
// the first block of each stack holds for all. v1.0 has a ReLU feed-forward and scales what the tied head reads; v1.1
// (FLAN-T5, mT5) has a gated one and a head of its own.
#include "core/model/architectures/family.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::core {
namespace {

// "relu", "gated-gelu", "gated-silu": what the feed-forward is, and its activation.
struct FeedForwardKind {
    bool isGated = false;
    kernels::Activation activation = kernels::Activation::Relu;
};

FeedForwardKind feedForwardKind(const FamilyConfig& family) {
    std::string name = family.json.text("feed_forward_proj").value_or("relu");
    FeedForwardKind kind;
    constexpr std::string_view kGated = "gated-";
    kind.isGated = name.starts_with(kGated);
    if (kind.isGated) name.erase(0, kGated.size());
    // The reference reads this one name as the approximation by tanh.
    if (kind.isGated && name == "gelu") name = "gelu_new";
    kind.activation = activationOf(name, family.json.sourceName());
    return kind;
}

AttentionConfig t5Attention(const FamilyConfig& family, const std::string& prefix, bool isCausal) {
    AttentionConfig attention = attentionOf(family.sizes, 0);
    attention.rotary = -1;
    attention.scale = 1.0F;
    attention.isCausal = isCausal;
    const HeadNames names{.query = "q", .key = "k", .value = "v", .output = "o"};
    addProjections(attention, family.sizes.hiddenSize, prefix, names, false, false);
    return attention;
}

FeedForwardConfig t5FeedForward(const FamilyConfig& family, const std::string& prefix) {
    const ModelConfig& sizes = family.sizes;
    const FeedForwardKind kind = feedForwardKind(family);
    FeedForwardConfig layer;
    layer.activation = kind.activation;
    if (kind.isGated) layer.gate = projection(prefix + "wi_0", sizes.hiddenSize, sizes.intermediateSize);
    layer.up = projection(prefix + (kind.isGated ? "wi_1" : "wi"), sizes.hiddenSize, sizes.intermediateSize);
    layer.down = projection(prefix + "wo", sizes.intermediateSize, sizes.hiddenSize);
    return layer;
}

BlockConfig t5Block(const FamilyConfig& family, const std::string& stack, int64_t layer, bool isDecoder) {
    const ModelConfig& sizes = family.sizes;
    int part = 0;
    const auto nextPart = [&] { return fmt::format("{}.block.{}.layer.{}.", stack, layer, part++); };
    const auto norm = [&](const std::string& prefix) {
        return SubLayerNorms{.input = rmsNormOf(sizes, prefix + "layer_norm", sizes.hiddenSize)};
    };
    BlockConfig block;
    block.hidden = sizes.hiddenSize;
    std::string prefix = nextPart();
    block.attention = t5Attention(family, prefix + "SelfAttention.", isDecoder);
    block.attentionNorms = norm(prefix);
    if (isDecoder) {
        prefix = nextPart();
        block.crossAttention = t5Attention(family, prefix + "EncDecAttention.", false);
        block.crossNorms = norm(prefix);
    }
    prefix = nextPart();
    block.feedForward = t5FeedForward(family, prefix + "DenseReluDense.");
    block.feedForwardNorms = norm(prefix);
    return block;
}

StackConfig t5Stack(const FamilyConfig& family, const std::string& name, bool isDecoder) {
    const ModelConfig& sizes = family.sizes;
    StackConfig stack;
    stack.embedding = "shared";
    stack.relativeBias = {
        .name = name + ".block.0.layer.0.SelfAttention.relative_attention_bias",
        .buckets = countOf(family.json, "relative_attention_num_buckets", 4, 4096, 32),
        .maxDistance = countOf(family.json, "relative_attention_max_distance", 4, 1 << 16, 128),
        .numHeads = sizes.numHeads,
        .isBidirectional = !isDecoder,
    };
    const int64_t layers = isDecoder ? sizes.numLayers : sizes.numEncoderLayers;
    for (int64_t layer = 0; layer < layers; ++layer) stack.blocks.push_back(t5Block(family, name, layer, isDecoder));
    stack.finalNorm = rmsNormOf(sizes, name + ".final_layer_norm", sizes.hiddenSize);
    return stack;
}

NetworkConfig t5Network(const FamilyConfig& family) {
    NetworkConfig network;
    network.encoder = t5Stack(family, "encoder", false);
    network.decoder = t5Stack(family, "decoder", true);
    network.aliases = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
    return network;
}

}  // namespace

// num_layers is the encoder's; the decoder has as many unless the file says otherwise.
void adjustT5(const JsonObject& json, ModelConfig& sizes) {
    if (!json.has("num_decoder_layers")) sizes.numLayers = sizes.numEncoderLayers;
}

NetworkConfig describeT5(const FamilyConfig& family) {
    NetworkConfig network = t5Network(family);
    // The scale goes with a tied head. Files of transformers 5 call every head tied and say this apart.
    const bool isTied = family.json.boolean("tie_word_embeddings").value_or(true);
    if (family.json.boolean("scale_decoder_outputs").value_or(isTied)) {
        network.head.hiddenScale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(family.sizes.hiddenSize)));
    }
    return network;
}

NetworkConfig describeMt5(const FamilyConfig& family) {
    return t5Network(family);
}

}  // namespace wb::core
