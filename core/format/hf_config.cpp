// SPDX-License-Identifier: Apache-2.0
#include "core/format/hf_config.h"

#include "core/format/json_reader.h"
#include "core/format/mapped_file.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;

struct Family {
    const char* modelType;
    const char* architecture;
};

constexpr std::array kFamilies{
    Family{"llama", "LlamaForCausalLM"},
    Family{"mistral", "MistralForCausalLM"},
    Family{"qwen2", "Qwen2ForCausalLM"},
};

const Family& familyOf(const std::string& modelType, const std::string& source) {
    const auto family = std::ranges::find(kFamilies, modelType, &Family::modelType);
    if (family != kFamilies.end()) return *family;
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: models of type '{}' are not supported; supported are llama, mistral and qwen2", source,
                            modelType)};
}

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

void readRopeScaling(const nlohmann::json& value, const char* key, const std::string& source, ModelConfig& config) {
    const JsonObject object(value, fmt::format("{}: {}", source, key));
    // "type" is the name before transformers 4.43; both may stand side by side.
    const std::string kind =
        object.has("rope_type") ? *object.text("rope_type") : object.text("type").value_or("default");
    RopeScaling& scaling = config.ropeScaling;
    if (kind == "default") return;
    if (kind != "linear" && kind != "llama3") {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: rotary scaling '{}' is not supported; supported are default, linear and llama3",
                                object.sourceName(), kind)};
    }
    const auto factor = object.number("factor");
    if (!factor) object.fail("factor", "is missing");
    scaling.factor = *factor;
    scaling.kind = RopeScalingKind::Linear;
    if (kind == "linear") return;
    scaling.kind = RopeScalingKind::Llama3;
    scaling.lowFrequencyFactor = object.number("low_freq_factor").value_or(scaling.lowFrequencyFactor);
    scaling.highFrequencyFactor = object.number("high_freq_factor").value_or(scaling.highFrequencyFactor);
    scaling.originalMaxPositions = object.requiredInteger("original_max_position_embeddings");
}

void readRope(const JsonObject& object, ModelConfig& config) {
    config.ropeTheta = object.number("rope_theta").value_or(config.ropeTheta);
    if (const nlohmann::json* parameters = object.find("rope_parameters")) {
        const JsonObject inner(*parameters, object.sourceName() + ": rope_parameters");
        config.ropeTheta = inner.number("rope_theta").value_or(config.ropeTheta);
        if (const double part = inner.number("partial_rotary_factor").value_or(1.0); part != 1.0) {
            throw Error{ErrorCode::Unsupported, fmt::format("{}: 'partial_rotary_factor' {} is not supported, only 1",
                                                            object.sourceName(), part)};
        }
        readRopeScaling(*parameters, "rope_parameters", object.sourceName(), config);
    } else if (const nlohmann::json* scaling = object.find("rope_scaling")) {
        readRopeScaling(*scaling, "rope_scaling", object.sourceName(), config);
    }
}

// The first layer of a list of "full_attention" ... "sliding_attention"; other patterns are no part of this family.
void readLayerTypes(const JsonObject& object, ModelConfig& config) {
    const nlohmann::json* types = object.find("layer_types");
    if (types == nullptr || config.slidingWindow == 0) return;
    if (!types->is_array() || static_cast<int64_t>(types->size()) != config.numLayers) {
        object.fail("layer_types", fmt::format("must list {} layers", config.numLayers));
    }
    int64_t firstSliding = config.numLayers;
    for (int64_t layer = 0; layer < config.numLayers; ++layer) {
        const nlohmann::json& type = (*types)[static_cast<size_t>(layer)];
        const bool isSliding = type == "sliding_attention";
        if (!isSliding && type != "full_attention") {
            object.fail("layer_types", fmt::format("has an unknown entry {}", type.dump(-1, ' ', true)));
        }
        if (isSliding && firstSliding == config.numLayers) firstSliding = layer;
        if (!isSliding && firstSliding < layer) {
            throw Error{ErrorCode::Unsupported, fmt::format("{}: 'layer_types' alternates between full and sliding "
                                                            "attention, which this model family does not support",
                                                            object.sourceName())};
        }
    }
    config.firstSlidingLayer = firstSliding;
    if (firstSliding == config.numLayers) config.slidingWindow = config.firstSlidingLayer = 0;
}

void readSlidingWindow(const JsonObject& object, ModelConfig& config) {
    const bool isQwen = config.modelType == "qwen2";
    // Only Mistral looks at sliding_window alone; Qwen2 has a switch that is off by default, Llama has no window.
    const bool isUsed =
        config.modelType == "mistral" || (isQwen && object.boolean("use_sliding_window").value_or(false));
    if (!isUsed) return;
    // A Mistral file that leaves the key out means the default of its class; null means no window.
    constexpr int64_t kMistralWindow = 4096;
    const int64_t defaultWindow = isQwen || object.isStated("sliding_window") ? 0 : kMistralWindow;
    config.slidingWindow = object.integer("sliding_window").value_or(defaultWindow);
    if (isQwen) {
        // Stated layers win over the count below which layers see everything.
        const int64_t fullLayers = object.integer("max_window_layers").value_or(0);
        config.firstSlidingLayer = std::clamp<int64_t>(fullLayers, 0, config.numLayers);
        if (config.firstSlidingLayer == config.numLayers) config.slidingWindow = config.firstSlidingLayer = 0;
    }
    readLayerTypes(object, config);
}

void readBiases(const JsonObject& object, ModelConfig& config) {
    if (config.modelType == "qwen2") {
        config.attentionBias = true;
    } else if (config.modelType == "llama") {
        config.attentionBias = config.outputBias = object.boolean("attention_bias").value_or(false);
        config.mlpBias = object.boolean("mlp_bias").value_or(false);
    }
}

void readSizes(const JsonObject& object, ModelConfig& config) {
    config.hiddenSize = object.requiredInteger("hidden_size");
    config.intermediateSize = object.requiredInteger("intermediate_size");
    config.numLayers = object.requiredInteger("num_hidden_layers");
    config.numHeads = object.requiredInteger("num_attention_heads");
    config.numKvHeads = object.integer("num_key_value_heads").value_or(config.numHeads);
    config.vocabularySize = object.requiredInteger("vocab_size");
    config.maxPositions = object.requiredInteger("max_position_embeddings");
    if (config.numHeads < 1) object.fail("num_attention_heads", fmt::format("is {}", config.numHeads));
    if (const auto headDim = object.integer("head_dim")) {
        config.headDim = *headDim;
    } else if (config.hiddenSize % config.numHeads == 0) {
        config.headDim = config.hiddenSize / config.numHeads;
    } else {
        object.fail("hidden_size",
                    fmt::format("{} is no multiple of 'num_attention_heads' {} and no 'head_dim' is given",
                                config.hiddenSize, config.numHeads));
    }
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

nlohmann::ordered_json ropeScalingJson(const RopeScaling& scaling) {
    switch (scaling.kind) {
        case RopeScalingKind::None: return nullptr;
        case RopeScalingKind::Linear: return {{"rope_type", "linear"}, {"factor", scaling.factor}};
        case RopeScalingKind::Llama3:
            return {{"rope_type", "llama3"},
                    {"factor", scaling.factor},
                    {"low_freq_factor", scaling.lowFrequencyFactor},
                    {"high_freq_factor", scaling.highFrequencyFactor},
                    {"original_max_position_embeddings", scaling.originalMaxPositions}};
        case RopeScalingKind::FrequencyFactors: break;
    }
    throw Error{ErrorCode::Unsupported, "rotary frequency factors of a GGUF file have no form in a config.json"};
}

void writeRope(nlohmann::ordered_json& object, ConfigPatch& patch, const ModelConfig& config,
               const ModelConfig& before) {
    if (!object.contains("rope_parameters")) {
        patch.set("rope_theta", config.ropeTheta, before.ropeTheta);
        patch.set("rope_scaling", config.ropeScaling, before.ropeScaling, ropeScalingJson(config.ropeScaling));
        return;
    }
    nlohmann::ordered_json& parameters = object["rope_parameters"];
    if (config.ropeScaling != before.ropeScaling) {
        parameters = ropeScalingJson(config.ropeScaling);
        if (parameters.is_null()) parameters = {{"rope_type", "default"}};
        parameters["rope_theta"] = config.ropeTheta;
    } else if (config.ropeTheta != before.ropeTheta) {
        parameters["rope_theta"] = config.ropeTheta;
    }
}

void writeSizes(ConfigPatch& patch, const ModelConfig& config, const ModelConfig& before) {
    patch.set("hidden_size", config.hiddenSize, before.hiddenSize);
    patch.set("intermediate_size", config.intermediateSize, before.intermediateSize);
    patch.set("num_hidden_layers", config.numLayers, before.numLayers);
    patch.set("num_attention_heads", config.numHeads, before.numHeads);
    patch.set("num_key_value_heads", config.numKvHeads, before.numKvHeads);
    patch.set("head_dim", config.headDim, before.headDim);
    patch.set("vocab_size", config.vocabularySize, before.vocabularySize);
    patch.set("max_position_embeddings", config.maxPositions, before.maxPositions);
}

void writeWindow(ConfigPatch& patch, const ModelConfig& config, const ModelConfig& before) {
    if (config.slidingWindow == before.slidingWindow && config.firstSlidingLayer == before.firstSlidingLayer) return;
    const bool hasWindow = config.slidingWindow > 0;
    if (config.modelType == "qwen2") {
        patch.set("use_sliding_window", hasWindow, !hasWindow);
        patch.set("max_window_layers", config.firstSlidingLayer, int64_t{-1});
    }
    patch.set("sliding_window", config.slidingWindow, int64_t{-1},
              hasWindow ? nlohmann::ordered_json(config.slidingWindow) : nlohmann::ordered_json(nullptr));
}

}  // namespace

ModelConfig parseModelConfig(std::string_view json, std::string_view sourceName) {
    const nlohmann::json root = parseJson(json, sourceName);
    const JsonObject object(root, sourceName);
    ModelConfig config;
    const auto modelType = object.text("model_type");
    if (!modelType) object.fail("model_type", "is missing");
    config.modelType = *modelType;
    config.architecture = familyOf(config.modelType, object.sourceName()).architecture;
    refuseUnsupported(object);
    readSizes(object, config);
    config.rmsNormEps = object.number("rms_norm_eps").value_or(config.rmsNormEps);
    readRope(object, config);
    config.tieWordEmbeddings = object.boolean("tie_word_embeddings").value_or(false);
    readBiases(object, config);
    readSlidingWindow(object, config);
    config.hiddenAct = object.text("hidden_act").value_or(config.hiddenAct);
    config.attentionDropout = object.number("attention_dropout").value_or(0.0);
    config.initializerRange = object.number("initializer_range").value_or(config.initializerRange);
    config.bosTokenId = tokenId(object, "bos_token_id");
    config.eosTokenIds = tokenIds(object, "eos_token_id");
    config.padTokenId = tokenId(object, "pad_token_id");
    config.dtype = readDtype(object);
    config.sourceJson = json;
    checkModelConfig(config, sourceName);
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
    ConfigPatch patch(object, isNew);
    patch.set("architectures", config.architecture, before.architecture, nlohmann::ordered_json{config.architecture});
    patch.set("model_type", config.modelType, before.modelType);
    writeSizes(patch, config, before);
    patch.set("rms_norm_eps", config.rmsNormEps, before.rmsNormEps);
    writeRope(object, patch, config, before);
    patch.set("tie_word_embeddings", config.tieWordEmbeddings, before.tieWordEmbeddings);
    patch.set("hidden_act", config.hiddenAct, before.hiddenAct);
    if (config.modelType == "llama") {
        patch.set("attention_bias", config.attentionBias, before.attentionBias);
        patch.set("mlp_bias", config.mlpBias, before.mlpBias);
    }
    writeWindow(patch, config, before);
    patch.set("initializer_range", config.initializerRange, before.initializerRange);
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
    return config;
}

GenerationConfig readGenerationConfig(const std::filesystem::path& modelFolder, const ModelConfig& config) {
    const std::filesystem::path file = modelFolder / "generation_config.json";
    GenerationConfig result;
    if (std::filesystem::exists(file))
        result = parseGenerationConfig(readTextFile(file, kMaxConfigBytes), file.string());
    if (!result.bosTokenId) result.bosTokenId = config.bosTokenId;
    if (result.eosTokenIds.empty()) result.eosTokenIds = config.eosTokenIds;
    if (!result.padTokenId) result.padTokenId = config.padTokenId;
    return result;
}

}  // namespace wb::core
