// SPDX-License-Identifier: Apache-2.0
// The table of families. What makes one different stands in its own file.
#include "core/model/architectures/architectures.h"

#include "core/model/architectures/family.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

constexpr SizeKeys kGpt2Keys{.hidden = "n_embd",
                             .ffn = "n_inner",
                             .layers = "n_layer",
                             .heads = "n_head",
                             .kvHeads = nullptr,
                             .headDim = nullptr,
                             .positions = "n_positions",
                             .activation = "activation_function",
                             .normEps = "layer_norm_epsilon"};
constexpr SizeKeys kGptNeoKeys{.layers = "num_layers",
                               .heads = "num_heads",
                               .kvHeads = nullptr,
                               .headDim = nullptr,
                               .activation = "activation_function",
                               .normEps = "layer_norm_epsilon"};
constexpr SizeKeys kLayerNormKeys{.normEps = "layer_norm_eps"};
constexpr SizeKeys kStarcoderKeys{.normEps = "norm_epsilon"};
constexpr SizeKeys kGemmaKeys{.activation = "hidden_activation"};
constexpr SizeKeys kOptKeys{.ffn = "ffn_dim",
                            .kvHeads = nullptr,
                            .headDim = nullptr,
                            .activation = "activation_function",
                            .normEps = nullptr,
                            .initializerRange = "init_std"};
constexpr SizeKeys kFalconKeys{.ffn = "ffn_hidden_size",
                               .kvHeads = nullptr,
                               .headDim = nullptr,
                               .activation = "activation",
                               .normEps = "layer_norm_epsilon"};
constexpr SizeKeys kT5Keys{.hidden = "d_model",
                           .ffn = "d_ff",
                           .layers = "num_decoder_layers",
                           .encoderLayers = "num_layers",
                           .heads = "num_heads",
                           .kvHeads = nullptr,
                           .headDim = "d_kv",
                           .positions = "n_positions",
                           .activation = "dense_act_fn",
                           .normEps = "layer_norm_epsilon",
                           .initializerRange = nullptr};
constexpr SizeKeys kBartKeys{.hidden = "d_model",
                             .ffn = "decoder_ffn_dim",
                             .layers = "decoder_layers",
                             .encoderLayers = "encoder_layers",
                             .heads = "decoder_attention_heads",
                             .kvHeads = nullptr,
                             .headDim = nullptr,
                             .activation = "activation_function",
                             .normEps = nullptr,
                             .initializerRange = "init_std"};

constexpr FamilyDefaults kLlama{};
constexpr FamilyDefaults kMistral{.windowRule = WindowRule::Always, .window = 4096};
constexpr FamilyDefaults kOptionalWindow{.windowRule = WindowRule::Always};
constexpr FamilyDefaults kQwen{.windowRule = WindowRule::Switch};
constexpr FamilyDefaults kMixtral{.normEps = 1e-5, .ropeTheta = 1e6, .windowRule = WindowRule::Always};
constexpr FamilyDefaults kGemma{.isHeadTied = true, .activation = "gelu_pytorch_tanh"};
constexpr FamilyDefaults kGemma2{.isHeadTied = true,
                                 .activation = "gelu_pytorch_tanh",
                                 .windowRule = WindowRule::EveryOther,
                                 .window = 4096,
                                 .windowPeriod = 2};
constexpr FamilyDefaults kGemma3{.isHeadTied = true,
                                 .ropeTheta = 1e6,
                                 .activation = "gelu_pytorch_tanh",
                                 .windowRule = WindowRule::EveryOther,
                                 .window = 4096,
                                 .windowPeriod = 6,
                                 .positions = 131072};
constexpr FamilyDefaults kPhi{.normEps = 1e-5, .partialRotary = 0.5, .activation = "gelu_new"};
constexpr FamilyDefaults kPhi3{.normEps = 1e-5, .windowRule = WindowRule::Always};
constexpr FamilyDefaults kSmolLm3{.isHeadTied = true, .ropeTheta = 2e6, .windowRule = WindowRule::Switch};
constexpr FamilyDefaults kOlmo2{.normEps = 1e-5};
constexpr FamilyDefaults kStableLm{.normEps = 1e-5, .partialRotary = 0.25};
constexpr FamilyDefaults kStarcoder2{
    .isHeadTied = true, .normEps = 1e-5, .activation = "gelu_pytorch_tanh", .windowRule = WindowRule::Always};
constexpr FamilyDefaults kGpt2{.isHeadTied = true, .normEps = 1e-5, .activation = "gelu_new", .ffnExpansion = 4};
constexpr FamilyDefaults kGptJ{.normEps = 1e-5, .activation = "gelu_new", .ffnExpansion = 4};
constexpr FamilyDefaults kGptNeoX{.normEps = 1e-5, .partialRotary = 0.25, .activation = "gelu"};
constexpr FamilyDefaults kOpt{.isHeadTied = true, .normEps = 1e-5, .activation = "relu"};
constexpr FamilyDefaults kFalcon{
    .isHeadTied = true, .normEps = 1e-5, .activation = "gelu", .positions = 2048, .ffnExpansion = 4};
// Relative positions have no limit; 512 is what the published models were trained with.
constexpr FamilyDefaults kT5{.isHeadTied = true, .activation = "relu", .positions = 512};
constexpr FamilyDefaults kBart{.isHeadTied = true, .normEps = 1e-5, .activation = "gelu"};
constexpr FamilyDefaults kM2m100{.isHeadTied = true, .normEps = 1e-5, .activation = "relu"};

constexpr std::array kFamilies{
    Family{"llama", "LlamaForCausalLM", "Llama, SmolLM, SmolLM2, TinyLlama", describeLlama, {}, kLlama},
    Family{"mistral", "MistralForCausalLM", "Mistral", describeLlama, {}, kMistral},
    Family{"qwen2", "Qwen2ForCausalLM", "Qwen2, Qwen2.5", describeLlama, {}, kQwen},
    Family{"qwen3", "Qwen3ForCausalLM", "Qwen3", describeQwen3, {}, kQwen},
    Family{"gemma", "GemmaForCausalLM", "Gemma", describeGemma, kGemmaKeys, kGemma},
    Family{"gemma2", "Gemma2ForCausalLM", "Gemma 2", describeGemma2, kGemmaKeys, kGemma2},
    Family{"gemma3_text", "Gemma3ForCausalLM", "Gemma 3 (text)", describeGemma3, kGemmaKeys, kGemma3},
    Family{"phi", "PhiForCausalLM", "Phi-1, Phi-2", describePhi, kLayerNormKeys, kPhi},
    Family{"phi3", "Phi3ForCausalLM", "Phi-3, Phi-4", describePhi3, {}, kPhi3},
    Family{"smollm3", "SmolLM3ForCausalLM", "SmolLM3", describeSmolLm3, {}, kSmolLm3},
    Family{"granite", "GraniteForCausalLM", "Granite", describeGranite, {}, kLlama},
    Family{"olmo", "OlmoForCausalLM", "OLMo", describeOlmo, {}, kOlmo2},
    Family{"olmo2", "Olmo2ForCausalLM", "OLMo 2", describeOlmo2, {}, kOlmo2},
    Family{"stablelm", "StableLmForCausalLM", "StableLM", describeStableLm, kLayerNormKeys, kStableLm},
    Family{"starcoder2", "Starcoder2ForCausalLM", "StarCoder2", describeStarcoder2, kStarcoderKeys, kStarcoder2},
    Family{"gpt2", "GPT2LMHeadModel", "GPT-2", describeGpt2, kGpt2Keys, kGpt2},
    Family{"gpt_neo", "GPTNeoForCausalLM", "GPT-Neo", describeGptNeo, kGptNeoKeys, kGpt2},
    Family{"gpt_neox", "GPTNeoXForCausalLM", "GPT-NeoX, Pythia", describeGptNeoX, kLayerNormKeys, kGptNeoX},
    Family{"gptj", "GPTJForCausalLM", "GPT-J", describeGptJ, kGpt2Keys, kGptJ, false, adjustGptJ},
    Family{"codegen", "CodeGenForCausalLM", "CodeGen", describeCodeGen, kGpt2Keys, kGptJ, false, adjustGptJ},
    Family{"opt", "OPTForCausalLM", "OPT", describeOpt, kOptKeys, kOpt},
    Family{"falcon", "FalconForCausalLM", "Falcon", describeFalcon, kFalconKeys, kFalcon, false, adjustFalcon},
    Family{"mixtral", "MixtralForCausalLM", "Mixtral", describeMixtral, {}, kMixtral},
    Family{"qwen2_moe", "Qwen2MoeForCausalLM", "Qwen2 mixture of experts", describeQwen2Moe, {}, kQwen},
    Family{"qwen3_moe", "Qwen3MoeForCausalLM", "Qwen3 mixture of experts", describeQwen3Moe, {}, kQwen},
    Family{"t5", "T5ForConditionalGeneration", "T5, FLAN-T5", describeT5, kT5Keys, kT5, true, adjustT5},
    Family{"mt5", "MT5ForConditionalGeneration", "mT5", describeMt5, kT5Keys, kT5, true, adjustT5},
    Family{"bart", "BartForConditionalGeneration", "BART", describeBart, kBartKeys, kBart, true},
    Family{"pegasus", "PegasusForConditionalGeneration", "Pegasus", describePegasus, kBartKeys, kBart, true},
    Family{"blenderbot", "BlenderbotForConditionalGeneration", "Blenderbot", describeBlenderbot, kBartKeys, kBart,
           true},
    Family{"blenderbot-small", "BlenderbotSmallForConditionalGeneration", "Blenderbot small", describeBlenderbotSmall,
           kBartKeys, kBart, true},
    Family{"m2m_100", "M2M100ForConditionalGeneration", "M2M100, NLLB", describeM2m100, kBartKeys, kM2m100, true},
};

}  // namespace

std::span<const Family> families() {
    return kFamilies;
}

std::vector<ArchitectureInfo> architectures() {
    std::vector<ArchitectureInfo> infos;
    for (const Family& family : kFamilies) infos.push_back({family.modelType, family.title, family.isEncoderDecoder});
    return infos;
}

const Family& familyOf(std::string_view modelType, std::string_view sourceName) {
    const auto found = std::ranges::find(kFamilies, modelType, &Family::modelType);
    if (found != kFamilies.end()) return *found;
    std::vector<std::string_view> known;
    for (const Family& family : kFamilies) known.push_back(family.modelType);
    throw Error{ErrorCode::Unsupported, fmt::format("{}: models of type '{}' are not supported; supported are {}",
                                                    sourceName, modelType, fmt::join(known, ", "))};
}

std::optional<int64_t> positionLimitOf(const ModelConfig& config) {
    if (networkConfigOf(config).decoder.relativeBias.exists()) return std::nullopt;
    return config.maxPositions;
}

NetworkConfig networkConfigOf(const ModelConfig& config) {
    const std::string source = config.sourceJson.empty() ? "model config" : "config.json";
    const Family& family = familyOf(config.modelType, source);
    const nlohmann::json root =
        config.sourceJson.empty() ? nlohmann::json::object() : parseJson(config.sourceJson, source);
    const JsonObject json(root, source);
    NetworkConfig network = family.describe({config, json});
    network.hidden = config.hiddenSize;
    if (network.embeddingSize == 0) network.embeddingSize = config.hiddenSize;
    network.vocabularySize = config.vocabularySize;
    if (config.tieWordEmbeddings) network.head.name.clear();
    return network;
}

}  // namespace wb::core
