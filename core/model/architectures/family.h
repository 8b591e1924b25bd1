// SPDX-License-Identifier: Apache-2.0
// Private to core: how a family reads its config, and the parts that most families are put together from.
#pragma once

#include "core/format/json_reader.h"
#include "core/format/model_config.h"
#include "core/model/network_config.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wb::core {

// Under which key a family's config.json keeps a size; nullptr: it has none.
struct SizeKeys {
    const char* hidden = "hidden_size";
    const char* ffn = "intermediate_size";
    const char* layers = "num_hidden_layers";
    const char* encoderLayers = nullptr;
    const char* heads = "num_attention_heads";
    const char* kvHeads = "num_key_value_heads";
    const char* headDim = "head_dim";
    const char* positions = "max_position_embeddings";
    const char* activation = "hidden_act";
    const char* normEps = "rms_norm_eps";
    const char* initializerRange = "initializer_range";
};

// Which layers look through a sliding window, unless the file lists layer_types.
enum class WindowRule {
    None,       // the family has no windows
    Always,     // every layer, if sliding_window is set
    Switch,     // layers from max_window_layers on, if use_sliding_window is true
    EveryOther  // all but every n-th layer: n is windowPeriod
};

// What a file of this family means where it says nothing.
struct FamilyDefaults {
    bool isHeadTied = false;
    double normEps = 1e-6;
    double ropeTheta = 10000.0;
    double partialRotary = 1.0;
    std::string_view activation = "silu";
    WindowRule windowRule = WindowRule::None;
    int64_t window = 0;
    int64_t windowPeriod = 2;
    int64_t positions = 0;     // 0: the file must say
    int64_t ffnExpansion = 0;  // feed-forward width over hidden size; 0: the file must say
};

struct FamilyConfig;

struct Family {
    std::string_view modelType;
    std::string_view className;  // "LlamaForCausalLM"
    std::string_view title;
    NetworkConfig (*describe)(const FamilyConfig& family) = nullptr;
    SizeKeys keys{};
    FamilyDefaults defaults{};
    bool isEncoderDecoder = false;
    // Sets sizes that follow from keys of this family alone; absent for most.
    void (*adjust)(const JsonObject& json, ModelConfig& sizes) = nullptr;
};

std::span<const Family> families();
// Throws Unsupported naming the model type and the known ones.
const Family& familyOf(std::string_view modelType, std::string_view sourceName);

// A config in the hands of its family: the shared sizes, and the keys that only the family knows.
struct FamilyConfig {
    const ModelConfig& sizes;
    const JsonObject& json;
};

// "silu", "gelu_new" ... as config files name activations. Throws Unsupported naming the value.
kernels::Activation activationOf(std::string_view name, std::string_view sourceName);
kernels::Activation activationOf(const FamilyConfig& family);

// A count in [minimum, maximum]; without a fallback the key must be there. Throws CorruptFile naming key and value.
int64_t countOf(const JsonObject& json, const char* key, int64_t minimum, int64_t maximum,
                std::optional<int64_t> fallback = std::nullopt);

// Refuses a setting that would change results, naming key and value.
void requireBoolean(const JsonObject& json, const char* key, bool value, bool defaultValue);

// Parts. `hidden` and other sizes come from the family's sizes.
ProjectionConfig projection(std::string name, int64_t in, int64_t out, bool hasBias = false);
NormConfig rmsNormOf(const ModelConfig& sizes, std::string name, int64_t size, float weightOffset = 0.0F);
NormConfig layerNormOf(const ModelConfig& sizes, std::string name, int64_t size, bool hasBias = true);

// "<prefix>q_proj" and its like.
struct HeadNames {
    const char* query = "q_proj";
    const char* key = "k_proj";
    const char* value = "v_proj";
    const char* output = "o_proj";
};
// Sizes, window of the layer and rotary table 0; no projections.
AttentionConfig attentionOf(const ModelConfig& sizes, int64_t layer);
void addProjections(AttentionConfig& attention, int64_t hidden, const std::string& prefix, const HeadNames& names,
                    bool hasInputBias, bool hasOutputBias);
// One projection "<name>" for queries, keys and values whose heads lie as `heads` says.
void addFused(AttentionConfig& attention, int64_t hidden, std::string name, bool hasBias, FusedHeads heads);
FusedHeads concatenatedHeads(const AttentionConfig& attention);  // all queries, all keys, all values
FusedHeads groupedHeads(const AttentionConfig& attention);       // per key head: its queries, the key, the value

FeedForwardConfig gatedFeedForward(const FamilyConfig& family, const std::string& prefix, bool hasBias);
FeedForwardConfig plainFeedForward(const FamilyConfig& family, const std::string& up, const std::string& down,
                                   bool hasBias);

RotaryConfig rotaryOf(const RopeScaling& scaling, double theta, int64_t rotaryDim);
RotaryConfig rotaryOf(const ModelConfig& sizes);

// A block of the Llama kind for one layer, "model.layers.N.": what close relatives start from.
BlockConfig llamaBlock(const FamilyConfig& family, int64_t layer);
// Embedding, rotary table, `block` for every layer, final RMS norm, head: "model.embed_tokens" and so on.
NetworkConfig llamaNetwork(const FamilyConfig& family, BlockConfig (*block)(const FamilyConfig&, int64_t layer));

// One per file of this folder.
NetworkConfig describeLlama(const FamilyConfig& family);
NetworkConfig describeQwen3(const FamilyConfig& family);
NetworkConfig describeQwen2Moe(const FamilyConfig& family);
NetworkConfig describeQwen3Moe(const FamilyConfig& family);
NetworkConfig describeMixtral(const FamilyConfig& family);
NetworkConfig describeGemma(const FamilyConfig& family);
NetworkConfig describeGemma2(const FamilyConfig& family);
NetworkConfig describeGemma3(const FamilyConfig& family);
NetworkConfig describePhi(const FamilyConfig& family);
NetworkConfig describePhi3(const FamilyConfig& family);
NetworkConfig describeSmolLm3(const FamilyConfig& family);
NetworkConfig describeGranite(const FamilyConfig& family);
NetworkConfig describeOlmo(const FamilyConfig& family);
NetworkConfig describeOlmo2(const FamilyConfig& family);
NetworkConfig describeStableLm(const FamilyConfig& family);
NetworkConfig describeStarcoder2(const FamilyConfig& family);
NetworkConfig describeGpt2(const FamilyConfig& family);
NetworkConfig describeGptNeo(const FamilyConfig& family);
NetworkConfig describeGptNeoX(const FamilyConfig& family);
NetworkConfig describeGptJ(const FamilyConfig& family);
NetworkConfig describeCodeGen(const FamilyConfig& family);
NetworkConfig describeOpt(const FamilyConfig& family);
NetworkConfig describeFalcon(const FamilyConfig& family);
NetworkConfig describeT5(const FamilyConfig& family);
NetworkConfig describeMt5(const FamilyConfig& family);
NetworkConfig describeBart(const FamilyConfig& family);
NetworkConfig describePegasus(const FamilyConfig& family);
NetworkConfig describeBlenderbot(const FamilyConfig& family);
NetworkConfig describeBlenderbotSmall(const FamilyConfig& family);
NetworkConfig describeM2m100(const FamilyConfig& family);

void adjustGptJ(const JsonObject& json, ModelConfig& sizes);
void adjustFalcon(const JsonObject& json, ModelConfig& sizes);
void adjustT5(const JsonObject& json, ModelConfig& sizes);

}  // namespace wb::core
