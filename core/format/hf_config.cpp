// SPDX-License-Identifier: Apache-2.0
#include "core/format/hf_config.h"

#include "core/format/json_reader.h"
#include "core/format/mapped_file.h"
#include "core/format/rope_config.h"
#include "core/model/architectures/architectures.h"
#include "core/model/architectures/family.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;

int32_t tokenIdOf(const nlohmann::json& value, const char* key, const JsonObject& object) {
    if (value.is_number_integer()) {
        const auto id = value.get<int64_t>();
        if (id >= 0 && id <= INT32_MAX) return static_cast<int32_t>(id);
    }
    object.fail(key, fmt::format("must be a token id, found {}", value.dump(-1, ' ', true)));
}

// -1 and null both mean "none" in files of older writers.
std::optional<int32_t> tokenId(const JsonObject& object, const char* key) {
    const nlohmann::json* value = object.find(key);
    if (value == nullptr || (value->is_number_integer() && value->get<int64_t>() == -1)) return std::nullopt;
    return tokenIdOf(*value, key, object);
}

std::vector<int32_t> tokenIds(const JsonObject& object, const char* key) {
    const nlohmann::json* value = object.find(key);
    std::vector<int32_t> ids;
    if (value == nullptr || (value->is_number_integer() && value->get<int64_t>() == -1)) return ids;
    if (!value->is_array()) return {tokenIdOf(*value, key, object)};
    for (const nlohmann::json& element : *value) ids.push_back(tokenIdOf(element, key, object));
    return ids;
}

std::vector<std::vector<int32_t>> tokenSequences(const JsonObject& object, const char* key) {
    std::vector<std::vector<int32_t>> sequences;
    const nlohmann::json* value = object.find(key);
    if (value == nullptr) return sequences;
    if (!value->is_array()) object.fail(key, "must be a list of lists of token ids");
    for (const nlohmann::json& sequence : *value) {
        if (!sequence.is_array() || sequence.empty()) object.fail(key, "must be a list of lists of token ids");
        std::vector<int32_t>& ids = sequences.emplace_back();
        for (const nlohmann::json& id : sequence) ids.push_back(tokenIdOf(id, key, object));
    }
    return sequences;
}

// Settings of `generate` that the engine lacks. A value that changes nothing does no harm.
std::vector<std::string> unsupportedGeneration(const JsonObject& object) {
    struct Setting {
        const char* key;
        double neutral = 0;
    };
    constexpr std::array kSettings{Setting{"encoder_repetition_penalty", 1},
                                   Setting{"num_beam_groups", 1},
                                   Setting{"diversity_penalty"},
                                   Setting{"penalty_alpha"},
                                   Setting{"guidance_scale", 1},
                                   Setting{"renormalize_logits"},
                                   Setting{"constraints"},
                                   Setting{"force_words_ids"},
                                   Setting{"sequence_bias"},
                                   Setting{"forced_decoder_ids"},
                                   Setting{"dola_layers"},
                                   Setting{"early_stopping"},
                                   Setting{"exponential_decay_length_penalty"}};
    std::vector<std::string> found;
    for (const Setting& setting : kSettings) {
        const nlohmann::json* value = object.find(setting.key);
        if (value == nullptr || (value->is_array() && value->empty())) continue;
        if (value->is_number() && value->get<double>() == setting.neutral) continue;
        if (value->is_boolean() && (!value->get<bool>() || std::string_view(setting.key) == "early_stopping")) continue;
        found.push_back(fmt::format("'{}' {}", setting.key, value->dump(-1, ' ', true)));
    }
    return found;
}

DType readDtype(const JsonObject& object) {
    const char* key = object.has("dtype") ? "dtype" : "torch_dtype";
    std::string name = object.text(key).value_or("float32");
    if (name.starts_with("torch.")) name.erase(0, 6);
    if (name == "float32" || name == "float") return DType::F32;
    if (name == "float16" || name == "half") return DType::F16;
    if (name == "bfloat16") return DType::BF16;
    throw Error{ErrorCode::Unsupported, fmt::format("{}: '{}' is '{}'; supported are float32, float16 and bfloat16",
                                                    object.sourceName(), key, name)};
}

// "full_attention" or "sliding_attention" for every layer.
std::vector<bool> readLayerTypes(const JsonObject& object, const nlohmann::json& types, int64_t numLayers) {
    if (!types.is_array() || static_cast<int64_t>(types.size()) != numLayers) {
        object.fail("layer_types", fmt::format("must list {} layers", numLayers));
    }
    std::vector<bool> isSliding;
    for (const nlohmann::json& type : types) {
        isSliding.push_back(type == "sliding_attention");
        if (type == "sliding_attention" || type == "full_attention") continue;
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: 'layer_types' has the entry {}; supported are full_attention and "
                                "sliding_attention",
                                object.sourceName(), type.dump(-1, ' ', true))};
    }
    return isSliding;
}

// What a family does without layer_types.
std::vector<bool> layersByRule(const JsonObject& object, const FamilyDefaults& defaults, int64_t numLayers) {
    std::vector<bool> isSliding(static_cast<size_t>(numLayers), true);
    const int64_t firstSliding =
        defaults.windowRule == WindowRule::Switch ? object.integer("max_window_layers").value_or(0) : 0;
    const int64_t period = object.integer("sliding_window_pattern").value_or(defaults.windowPeriod);
    for (int64_t layer = 0; layer < numLayers; ++layer) {
        const bool isFull = defaults.windowRule == WindowRule::EveryOther && period > 0 && (layer + 1) % period == 0;
        isSliding[static_cast<size_t>(layer)] = layer >= firstSliding && !isFull;
    }
    return isSliding;
}

void readSlidingWindow(const JsonObject& object, const FamilyDefaults& defaults, ModelConfig& config) {
    if (defaults.windowRule == WindowRule::None) return;
    if (defaults.windowRule == WindowRule::Switch && !object.boolean("use_sliding_window").value_or(false)) return;
    // A file that leaves the key out means the default of its family; null means no window.
    const int64_t silent = object.isStated("sliding_window") ? 0 : defaults.window;
    config.slidingWindow = object.integer("sliding_window").value_or(silent);
    if (config.slidingWindow == 0) return;
    const nlohmann::json* types = object.find("layer_types");
    config.slidingLayers = types != nullptr ? readLayerTypes(object, *types, config.numLayers)
                                            : layersByRule(object, defaults, config.numLayers);
    if (std::ranges::count(config.slidingLayers, true) == config.numLayers) config.slidingLayers.clear();
    if (std::ranges::count(config.slidingLayers, false) == config.numLayers) config.slidingWindow = 0;
    if (config.slidingWindow == 0) config.slidingLayers.clear();
}

void readBiases(const JsonObject& object, ModelConfig& config) {
    // Qwen2 always has biases on q, k and v and never on o; its mixture has a switch for them.
    if (config.modelType == "qwen2" || config.modelType == "qwen2_moe") {
        config.attentionBias = object.boolean("qkv_bias").value_or(true);
        return;
    }
    config.attentionBias = config.outputBias = object.boolean("attention_bias").value_or(false);
    config.mlpBias = object.boolean("mlp_bias").value_or(false);
}

int64_t requiredLayers(const JsonObject& object, const Family& family) {
    // The decoder of a T5 has as many layers as its encoder unless the file says otherwise.
    const bool isSilent = family.keys.encoderLayers != nullptr && !object.has(family.keys.layers);
    return object.requiredInteger(isSilent ? family.keys.encoderLayers : family.keys.layers);
}

void readHeads(const JsonObject& object, const SizeKeys& keys, ModelConfig& config) {
    config.numHeads = object.requiredInteger(keys.heads);
    if (config.numHeads < 1) object.fail(keys.heads, fmt::format("is {}", config.numHeads));
    config.numKvHeads = config.numHeads;
    if (keys.kvHeads != nullptr) config.numKvHeads = object.integer(keys.kvHeads).value_or(config.numHeads);
    const auto headDim = keys.headDim == nullptr ? std::nullopt : object.integer(keys.headDim);
    if (headDim) {
        config.headDim = *headDim;
    } else if (config.hiddenSize % config.numHeads == 0) {
        config.headDim = config.hiddenSize / config.numHeads;
    } else {
        object.fail(keys.hidden, fmt::format("{} is no multiple of '{}' {} and no 'head_dim' is given",
                                             config.hiddenSize, keys.heads, config.numHeads));
    }
}

void readSizes(const JsonObject& object, const Family& family, ModelConfig& config) {
    const SizeKeys& keys = family.keys;
    config.hiddenSize = object.requiredInteger(keys.hidden);
    const int64_t expansion = family.defaults.ffnExpansion;
    config.intermediateSize = expansion > 0 ? object.integer(keys.ffn).value_or(expansion * config.hiddenSize)
                                            : object.requiredInteger(keys.ffn);
    config.numLayers = requiredLayers(object, family);
    if (keys.encoderLayers != nullptr) config.numEncoderLayers = object.requiredInteger(keys.encoderLayers);
    config.vocabularySize = object.requiredInteger("vocab_size");
    const bool hasDefault = family.defaults.positions > 0;
    config.maxPositions = hasDefault ? object.integer(keys.positions).value_or(family.defaults.positions)
                                     : object.requiredInteger(keys.positions);
    readHeads(object, keys, config);
}

void refuseUnsupported(const JsonObject& object) {
    for (const char* key : {"quantization_config", "quantization"}) {
        if (!object.has(key)) continue;
        throw Error{
            ErrorCode::Unsupported,
            fmt::format("{}: the weights are quantised ('{}'); get the unquantised model", object.sourceName(), key)};
    }
}

// Sets key in the object where the config's value is no longer the one that its source text gives.
class ConfigPatch {
public:
    ConfigPatch(nlohmann::ordered_json& object, bool isNew) : m_object(object), m_isNew(isNew) {}

    template <class Value, class Written>
    void set(const char* key, const Value& now, const Value& before, const Written& written) {
        if (m_isNew || !(now == before)) m_object[key] = written;
    }
    template <class Value>
    void set(const char* key, const Value& now, const Value& before) {
        set(key, now, before, now);
    }

private:
    nlohmann::ordered_json& m_object;
    bool m_isNew;
};

const char* torchDtypeName(DType dtype) {
    switch (dtype) {
        case DType::F16: return "float16";
        case DType::BF16: return "bfloat16";
        default: return "float32";
    }
}

nlohmann::ordered_json idOrNull(const std::optional<int32_t>& id) {
    return id ? nlohmann::ordered_json(*id) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json oneOrList(const std::vector<int32_t>& ids) {
    if (ids.empty()) return nullptr;
    if (ids.size() == 1) return ids.front();
    return ids;
}

void writeSizes(ConfigPatch& patch, const SizeKeys& keys, const ModelConfig& config, const ModelConfig& before) {
    const auto set = [&](const char* key, int64_t ModelConfig::*size) {
        if (key != nullptr) patch.set(key, config.*size, before.*size);
    };
    set(keys.hidden, &ModelConfig::hiddenSize);
    set(keys.ffn, &ModelConfig::intermediateSize);
    set(keys.layers, &ModelConfig::numLayers);
    set(keys.encoderLayers, &ModelConfig::numEncoderLayers);
    set(keys.heads, &ModelConfig::numHeads);
    set(keys.kvHeads, &ModelConfig::numKvHeads);
    set(keys.headDim, &ModelConfig::headDim);
    set("vocab_size", &ModelConfig::vocabularySize);
    set(keys.positions, &ModelConfig::maxPositions);
}

void writeWindow(ConfigPatch& patch, WindowRule rule, const ModelConfig& config, const ModelConfig& before) {
    if (config.slidingWindow == before.slidingWindow && config.slidingLayers == before.slidingLayers) return;
    const bool hasWindow = config.slidingWindow > 0;
    if (rule == WindowRule::Switch) patch.set("use_sliding_window", hasWindow, !hasWindow);
    patch.set("sliding_window", config.slidingWindow, int64_t{-1},
              hasWindow ? nlohmann::ordered_json(config.slidingWindow) : nlohmann::ordered_json(nullptr));
    if (!hasWindow || (rule == WindowRule::Always && config.slidingLayers.empty())) return;
    std::vector<std::string> types;
    for (int64_t layer = 0; layer < config.numLayers; ++layer)
        types.emplace_back(config.windowOfLayer(layer) > 0 ? "sliding_attention" : "full_attention");
    patch.set("layer_types", types, {});
}

}  // namespace

ModelConfig parseModelConfig(std::string_view json, std::string_view sourceName) {
    const nlohmann::json root = parseJson(json, sourceName);
    const JsonObject object(root, sourceName);
    ModelConfig config;
    const auto modelType = object.text("model_type");
    if (!modelType) object.fail("model_type", "is missing");
    config.modelType = *modelType;
    const Family& family = familyOf(config.modelType, object.sourceName());
    config.architecture = family.className;
    config.isEncoderDecoder = family.isEncoderDecoder;
    refuseUnsupported(object);
    readSizes(object, family, config);
    const auto epsilon = family.keys.normEps == nullptr ? std::nullopt : object.number(family.keys.normEps);
    config.normEps = epsilon.value_or(family.defaults.normEps);
    config.ropeTheta = family.defaults.ropeTheta;
    readRope(object, family.defaults.partialRotary, config);
    config.tieWordEmbeddings = object.boolean("tie_word_embeddings").value_or(family.defaults.isHeadTied);
    readBiases(object, config);
    checkModelConfig(config, sourceName);  // before lists are made by layer
    readSlidingWindow(object, family.defaults, config);
    config.hiddenAct = object.text(family.keys.activation).value_or(std::string(family.defaults.activation));
    if (family.adjust != nullptr) family.adjust(object, config);
    config.attentionDropout = object.number("attention_dropout").value_or(0.0);
    if (family.keys.initializerRange != nullptr)
        config.initializerRange = object.number(family.keys.initializerRange).value_or(config.initializerRange);
    config.bosTokenId = tokenId(object, "bos_token_id");
    config.eosTokenIds = tokenIds(object, "eos_token_id");
    config.padTokenId = tokenId(object, "pad_token_id");
    config.decoderStartTokenId = tokenId(object, "decoder_start_token_id");
    config.dtype = readDtype(object);
    config.sourceJson = json;
    checkModelConfig(config, sourceName);
    networkConfigOf(config);  // refuses what the family cannot do
    return config;
}

ModelConfig readModelConfig(const std::filesystem::path& path) {
    const std::filesystem::path file = std::filesystem::is_directory(path) ? path / "config.json" : path;
    return parseModelConfig(readTextFile(file, kMaxConfigBytes), file.string());
}

std::string modelConfigJson(const ModelConfig& config) {
    const bool isNew = config.sourceJson.empty();
    const ModelConfig before = isNew ? ModelConfig{} : parseModelConfig(config.sourceJson, "config.json");
    nlohmann::ordered_json object =
        isNew ? nlohmann::ordered_json::object() : parseOrderedJson(config.sourceJson, "config.json");
    const Family& family = familyOf(config.modelType, "model config");
    const SizeKeys& keys = family.keys;
    ConfigPatch patch(object, isNew);
    patch.set("architectures", config.architecture, before.architecture, nlohmann::ordered_json{config.architecture});
    patch.set("model_type", config.modelType, before.modelType);
    writeSizes(patch, keys, config, before);
    if (keys.normEps != nullptr) patch.set(keys.normEps, config.normEps, before.normEps);
    writeRope(object, isNew, config, before);
    patch.set("tie_word_embeddings", config.tieWordEmbeddings, before.tieWordEmbeddings);
    patch.set(keys.activation, config.hiddenAct, before.hiddenAct);
    if (config.modelType == "llama") {
        patch.set("attention_bias", config.attentionBias, before.attentionBias);
        patch.set("mlp_bias", config.mlpBias, before.mlpBias);
    }
    writeWindow(patch, family.defaults.windowRule, config, before);
    if (keys.initializerRange != nullptr)
        patch.set(keys.initializerRange, config.initializerRange, before.initializerRange);
    patch.set("bos_token_id", config.bosTokenId, before.bosTokenId, idOrNull(config.bosTokenId));
    patch.set("eos_token_id", config.eosTokenIds, before.eosTokenIds, oneOrList(config.eosTokenIds));
    if (config.padTokenId || before.padTokenId) {
        patch.set("pad_token_id", config.padTokenId, before.padTokenId, idOrNull(config.padTokenId));
    }
    const char* dtypeKey = object.contains("dtype") ? "dtype" : "torch_dtype";
    patch.set(dtypeKey, config.dtype, before.dtype, torchDtypeName(config.dtype));
    return object.dump(2) + "\n";
}

GenerationConfig parseGenerationConfig(std::string_view json, std::string_view sourceName) {
    const nlohmann::json root = parseJson(json, sourceName);
    const JsonObject object(root, sourceName);
    GenerationConfig config;
    config.bosTokenId = tokenId(object, "bos_token_id");
    config.eosTokenIds = tokenIds(object, "eos_token_id");
    config.padTokenId = tokenId(object, "pad_token_id");
    config.doSample = object.boolean("do_sample");
    config.temperature = object.number("temperature");
    config.topK = object.integer("top_k");
    config.topP = object.number("top_p");
    config.minP = object.number("min_p");
    config.repetitionPenalty = object.number("repetition_penalty");
    config.maxNewTokens = object.integer("max_new_tokens");
    config.numBeams = object.integer("num_beams");
    config.lengthPenalty = object.number("length_penalty");
    if (const nlohmann::json* early = object.find("early_stopping"); early != nullptr && early->is_boolean())
        config.earlyStopping = early->get<bool>();
    config.minLength = object.integer("min_length");
    config.minNewTokens = object.integer("min_new_tokens");
    config.noRepeatNgramSize = object.integer("no_repeat_ngram_size");
    config.encoderNoRepeatNgramSize = object.integer("encoder_no_repeat_ngram_size");
    config.badWords = tokenSequences(object, "bad_words_ids");
    config.suppressedTokens = tokenIds(object, "suppress_tokens");
    config.beginSuppressedTokens = tokenIds(object, "begin_suppress_tokens");
    config.decoderStartTokenId = tokenId(object, "decoder_start_token_id");
    config.forcedBosTokenId = tokenId(object, "forced_bos_token_id");
    config.forcedEosTokenId = tokenId(object, "forced_eos_token_id");
    config.unsupported = unsupportedGeneration(object);
    return config;
}

GenerationConfig readGenerationConfig(const std::filesystem::path& modelFolder, const ModelConfig& config) {
    const std::filesystem::path file = modelFolder / "generation_config.json";
    GenerationConfig result;
    if (std::filesystem::exists(file)) {
        result = parseGenerationConfig(readTextFile(file, kMaxConfigBytes), file.string());
    } else if (!config.sourceJson.empty()) {
        // Older folders keep these settings among those of the model.
        result = parseGenerationConfig(config.sourceJson, (modelFolder / "config.json").string());
    }
    if (!result.bosTokenId) result.bosTokenId = config.bosTokenId;
    if (result.eosTokenIds.empty()) result.eosTokenIds = config.eosTokenIds;
    if (!result.padTokenId) result.padTokenId = config.padTokenId;
    if (!result.decoderStartTokenId) result.decoderStartTokenId = config.decoderStartTokenId;
    return result;
}

}  // namespace wb::core
