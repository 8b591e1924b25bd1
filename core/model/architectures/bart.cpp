// SPDX-License-Identifier: Apache-2.0
// BART and the models built from the same parts: layer norms, biases everywhere, positions added to the embeddings.
// They differ in where norms stand (behind each sum, or before each sub-layer with one more at the end), in whether
// embeddings are normalised, and in their positions. This table is the difference:
#include "core/model/architectures/family.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::core {
namespace {

struct BartKind {
    bool normsFirst = false;
    bool normsEmbeddings = false;
    bool hasLearnedPositions = true;
    int64_t positionOffset = 0;
    SineTable sine = SineTable::Halves;
    bool hasLogitsBias = true;
    bool normsBeforePositions = false;  // the decoder normalises its embeddings before positions are added
};

constexpr BartKind kBart{.normsEmbeddings = true, .positionOffset = 2};
constexpr BartKind kPegasus{.normsFirst = true, .hasLearnedPositions = false, .sine = SineTable::Pairs};
constexpr BartKind kBlenderbot{.normsFirst = true};
constexpr BartKind kBlenderbotSmall{.normsEmbeddings = true, .normsBeforePositions = true};
constexpr BartKind kM2m100{
    .normsFirst = true, .hasLearnedPositions = false, .positionOffset = 2, .hasLogitsBias = false};

SubLayerNorms bartNorm(const FamilyConfig& family, const BartKind& kind, std::string name) {
    const NormConfig norm = layerNormOf(family.sizes, std::move(name), family.sizes.hiddenSize);
    return kind.normsFirst ? SubLayerNorms{.input = norm} : SubLayerNorms{.sum = norm};
}

AttentionConfig bartAttention(const FamilyConfig& family, const std::string& prefix, int64_t numHeads, bool isCausal) {
    AttentionConfig attention = attentionOf(family.sizes, 0);
    attention.rotary = -1;
    attention.isCausal = isCausal;
    attention.numHeads = attention.numKvHeads = numHeads;
    attention.headDim = family.sizes.hiddenSize / numHeads;
    addProjections(attention, family.sizes.hiddenSize, prefix, {.output = "out_proj"}, true, true);
    return attention;
}

// Encoder and decoder have keys of their own: "encoder_attention_heads", "decoder_ffn_dim".
struct StackSizes {
    std::string name;
    int64_t layers = 0;
    int64_t heads = 0;
    int64_t ffn = 0;
    bool isDecoder = false;
};

BlockConfig bartBlock(const FamilyConfig& family, const BartKind& kind, const StackSizes& stack, int64_t layer) {
    const int64_t hidden = family.sizes.hiddenSize;
    const std::string prefix = fmt::format("model.{}.layers.{}.", stack.name, layer);
    BlockConfig block;
    block.hidden = hidden;
    block.attention = bartAttention(family, prefix + "self_attn.", stack.heads, stack.isDecoder);
    block.attentionNorms = bartNorm(family, kind, prefix + "self_attn_layer_norm");
    if (stack.isDecoder) {
        block.crossAttention = bartAttention(family, prefix + "encoder_attn.", stack.heads, false);
        block.crossNorms = bartNorm(family, kind, prefix + "encoder_attn_layer_norm");
    }
    block.feedForward.activation = activationOf(family);
    block.feedForward.up = projection(prefix + "fc1", hidden, stack.ffn, true);
    block.feedForward.down = projection(prefix + "fc2", stack.ffn, hidden, true);
    block.feedForwardNorms = bartNorm(family, kind, prefix + "final_layer_norm");
    return block;
}

PositionConfig bartPositions(const FamilyConfig& family, const BartKind& kind, const std::string& prefix) {
    PositionConfig positions;
    positions.rows = family.sizes.maxPositions + kind.positionOffset;
    positions.offset = kind.positionOffset;
    positions.sine = kind.sine;
    if (kind.hasLearnedPositions) positions.name = prefix + "embed_positions";
    return positions;
}

StackConfig bartStack(const FamilyConfig& family, const BartKind& kind, const StackSizes& sizes) {
    const int64_t hidden = family.sizes.hiddenSize;
    const std::string prefix = fmt::format("model.{}.", sizes.name);
    StackConfig stack;
    stack.embedding = "model.shared";
    if (family.json.boolean("scale_embedding").value_or(false)) {
        stack.embeddingScale = static_cast<float>(std::sqrt(static_cast<double>(hidden)));
    }
    stack.positions = bartPositions(family, kind, prefix);
    if (kind.normsEmbeddings) stack.embeddingNorm = layerNormOf(family.sizes, prefix + "layernorm_embedding", hidden);
    stack.normsBeforePositions = kind.normsBeforePositions && sizes.isDecoder;
    for (int64_t layer = 0; layer < sizes.layers; ++layer)
        stack.blocks.push_back(bartBlock(family, kind, sizes, layer));
    if (kind.normsFirst) stack.finalNorm = layerNormOf(family.sizes, prefix + "layer_norm", hidden);
    return stack;
}

NetworkConfig bartNetwork(const FamilyConfig& family, const BartKind& kind) {
    const ModelConfig& sizes = family.sizes;
    const JsonObject& json = family.json;
    NetworkConfig network;
    network.prefix = "model.";
    const int64_t encoderHeads = countOf(json, "encoder_attention_heads", 1, sizes.hiddenSize);
    if (sizes.hiddenSize % encoderHeads != 0)
        json.fail("encoder_attention_heads",
                  fmt::format("{} does not divide 'd_model' {}", encoderHeads, sizes.hiddenSize));
    network.encoder = bartStack(
        family, kind,
        {"encoder", sizes.numEncoderLayers, encoderHeads, countOf(json, "encoder_ffn_dim", 1, 1 << 20), false});
    network.decoder =
        bartStack(family, kind, {"decoder", sizes.numLayers, sizes.numHeads, sizes.intermediateSize, true});
    if (kind.hasLogitsBias) {
        network.head.bias = "final_logits_bias";
        network.head.isBiasConstant = true;
    }
    network.aliases = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"};
    if (!kind.hasLearnedPositions) {
        network.aliases.insert(network.aliases.end(),
                               {"model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight"});
    }
    return network;
}

}  // namespace

NetworkConfig describeBart(const FamilyConfig& family) {
    return bartNetwork(family, kBart);
}

NetworkConfig describePegasus(const FamilyConfig& family) {
    return bartNetwork(family, kPegasus);
}

NetworkConfig describeBlenderbot(const FamilyConfig& family) {
    return bartNetwork(family, kBlenderbot);
}

NetworkConfig describeBlenderbotSmall(const FamilyConfig& family) {
    return bartNetwork(family, kBlenderbotSmall);
}

NetworkConfig describeM2m100(const FamilyConfig& family) {
    return bartNetwork(family, kM2m100);
}

}  // namespace wb::core
