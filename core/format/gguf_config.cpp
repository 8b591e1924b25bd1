// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_config.h"

#include "core/format/gguf_architectures.h"
#include "core/format/gguf_settings.h"
#include "core/format/hf_config.h"
#include "core/format/json_reader.h"
#include "core/format/widen.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace wb::core {
namespace {

using nlohmann::ordered_json;

std::vector<float> frequencyFactors(const GgufFile& file) {
    const GgufTensor* stored = file.find("rope_freqs.weight");
    if (stored == nullptr) return {};
    constexpr int64_t kMaxFactors = 1 << 16;
    if (stored->type != GgufType::F32 || stored->shape.size() != 1 || stored->shape.front() > kMaxFactors) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'rope_freqs.weight' must be a short vector of F32", file.path().string())};
    }
    std::vector<float> factors(static_cast<size_t>(stored->shape.front()));
    widenToFloat(DType::F32, stored->bytes, factors, "rope_freqs.weight");
    if (std::ranges::any_of(factors, [](float factor) { return !(factor > 0.0F); })) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'rope_freqs.weight' holds a factor that is not positive", file.path().string())};
    }
    return factors;
}

// Llama 3 files hold the outcome of its scaling as factors. Its published parameters, tried out, give them a form in
// config.json again.
std::optional<RopeScaling> llama3ScalingOf(const ModelConfig& config, const std::vector<float>& factors) {
    const std::vector<double> unscaled = ropeInverseFrequencies({}, config.ropeTheta, config.headDim);
    if (factors.size() != unscaled.size()) return std::nullopt;
    RopeScaling tried;
    tried.kind = RopeScalingKind::Llama3;
    tried.factor = shortestNumber(static_cast<double>(std::ranges::max(factors)));
    tried.lowFrequencyFactor = 1.0;
    tried.highFrequencyFactor = 4.0;
    tried.originalMaxPositions = 8192;
    const std::vector<double> scaled = ropeInverseFrequencies(tried, config.ropeTheta, config.headDim);
    constexpr double kRounding = 1e-5;
    for (size_t i = 0; i < factors.size(); ++i) {
        const double factor = unscaled[i] / scaled[i];
        if (std::abs(factor - static_cast<double>(factors[i])) > kRounding * factor) return std::nullopt;
    }
    return tried;
}

std::optional<int64_t> tokenId(const GgufFile& file, const char* key) {
    const auto id = file.integer(key);
    if (!id || *id == 0xffffffff || *id == -1) return std::nullopt;  // both stand for "none"
    if (*id < 0 || *id > INT32_MAX) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: '{}' is {}", file.path().string(), key, *id)};
    }
    return id;
}

void addTokenIds(const GgufFile& file, ordered_json& json) {
    if (const auto id = tokenId(file, "tokenizer.ggml.bos_token_id")) json["bos_token_id"] = *id;
    std::vector<int64_t> endIds;
    for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
        const auto id = tokenId(file, key);
        if (id && std::ranges::find(endIds, *id) == endIds.end()) endIds.push_back(*id);
    }
    if (endIds.size() == 1) json["eos_token_id"] = endIds.front();
    if (endIds.size() > 1) json["eos_token_id"] = endIds;
    if (const auto id = tokenId(file, "tokenizer.ggml.padding_token_id")) json["pad_token_id"] = *id;
}

int64_t vocabularySize(const GgufFile& file, const std::string& prefix) {
    const GgufTensor* embedding = file.find("token_embd.weight");
    if (embedding != nullptr) return embedding->shape.front();
    if (const auto size = file.integer(prefix + "vocab_size")) return *size;
    const auto* tokens = file.texts("tokenizer.ggml.tokens");
    return tokens == nullptr ? 0 : static_cast<int64_t>(tokens->size());
}

void addSizes(const GgufFile& file, const GgufArchitecture& architecture, const std::string& prefix,
              ordered_json& json) {
    for (const GgufSize& size : architecture.sizes) {
        const std::string key = prefix + std::string(size.gguf);
        if (size.isOptional && !file.metadata().contains(key)) continue;
        json[std::string(size.json)] = uniformInteger(file, key);
    }
    const auto keyLength = file.integer(prefix + "attention.key_length");
    const auto valueLength = file.integer(prefix + "attention.value_length");
    if (valueLength && valueLength != keyLength) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: key length {} and value length {} differ, which is not supported",
                                file.path().string(), keyLength.value_or(0), *valueLength)};
    }
    json["vocab_size"] = vocabularySize(file, prefix);
}

// That of the first weight matrix of a block: what a file is called after.
DType storedDtype(const GgufFile& file) {
    for (const GgufTensor& tensor : file.tensors()) {
        const bool isProjection = tensor.name.find(".attn_q") != std::string::npos && tensor.shape.size() == 2;
        if (isProjection) return dtypeOfGguf(tensor.type).value_or(DType::F32);
    }
    return DType::F32;
}

const char* torchDtypeName(DType dtype) {
    switch (dtype) {
        case DType::F16: return "float16";
        case DType::BF16: return "bfloat16";
        default: return "float32";
    }
}

GgufArchitecture const& architectureOf(const GgufFile& file) {
    const std::string source = file.path().string();
    const auto name = file.text("general.architecture");
    if (name) return ggufArchitectureNamed(*name, source);
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: metadata 'general.architecture' is missing", source)};
}

}  // namespace

std::string configJsonFromGguf(const GgufFile& file) {
    const GgufArchitecture& architecture = architectureOf(file);
    const std::string prefix = std::string(architecture.name) + ".";
    if (const int64_t experts = file.integer(prefix + "expert_count").value_or(0); experts > 0) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: a mixture of {} experts is not supported", file.path().string(), experts)};
    }
    ordered_json json{{"architectures", {architecture.className}}, {"model_type", architecture.modelType}};
    addSizes(file, architecture, prefix, json);
    constexpr double kUsualEpsilon = 1e-5;
    const auto epsilon = file.number(prefix + std::string(architecture.epsilonKey));
    json[std::string(architecture.epsilonJson)] = shortestNumber(epsilon.value_or(kUsualEpsilon));
    json["tie_word_embeddings"] = file.find("output.weight") == nullptr;
    addTokenIds(file, json);
    json["torch_dtype"] = torchDtypeName(storedDtype(file));
    architecture.readSettings(file, prefix, json);
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ModelConfig modelConfigFromGguf(const GgufFile& file) {
    const std::string source = file.path().string();
    ModelConfig config = parseModelConfig(configJsonFromGguf(file), source);
    config.dtype = storedDtype(file);
    if (std::vector<float> factors = frequencyFactors(file); !factors.empty()) {
        if (const auto scaling = llama3ScalingOf(config, factors)) {
            config.ropeScaling = *scaling;
        } else {
            config.ropeScaling.kind = RopeScalingKind::FrequencyFactors;
            config.ropeScaling.frequencyFactors = std::move(factors);
        }
        checkModelConfig(config, source);
    }
    return config;
}

GgufMetadata ggufMetadataOf(const ModelConfig& config) {
    const GgufArchitecture& architecture = ggufArchitectureFor(config.modelType);
    const std::string prefix = std::string(architecture.name) + ".";
    GgufMetadata metadata{{"general.architecture", std::string(architecture.name)}};
    for (const GgufSize& size : architecture.sizes) {
        metadata.push_back({prefix + std::string(size.gguf), static_cast<uint32_t>(config.*size.field)});
        if (size.gguf == "attention.key_length") {
            metadata.push_back({prefix + "attention.value_length", static_cast<uint32_t>(config.*size.field)});
        }
    }
    metadata.push_back({prefix + "vocab_size", static_cast<uint32_t>(config.vocabularySize)});
    metadata.push_back({prefix + std::string(architecture.epsilonKey), static_cast<float>(config.normEps)});
    const nlohmann::json json = parseJson(modelConfigJson(config), "config.json");
    architecture.writeSettings(config, json, prefix, metadata);
    return metadata;
}

}  // namespace wb::core
