// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_config.h"

#include "core/format/widen.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace wb::core {
namespace {

struct NamePair {
    std::string_view gguf;
    std::string_view huggingFace;
};

constexpr std::array kGlobalNames{
    NamePair{"token_embd", "model.embed_tokens"},
    NamePair{"output_norm", "model.norm"},
    NamePair{"output", "lm_head"},
};

constexpr std::array kLayerNames{
    NamePair{"attn_norm", "input_layernorm"},    NamePair{"attn_q", "self_attn.q_proj"},
    NamePair{"attn_k", "self_attn.k_proj"},      NamePair{"attn_v", "self_attn.v_proj"},
    NamePair{"attn_output", "self_attn.o_proj"}, NamePair{"ffn_norm", "post_attention_layernorm"},
    NamePair{"ffn_gate", "mlp.gate_proj"},       NamePair{"ffn_up", "mlp.up_proj"},
    NamePair{"ffn_down", "mlp.down_proj"},
};

constexpr std::string_view kGgufLayer = "blk.";
constexpr std::string_view kHuggingFaceLayer = "model.layers.";

struct LayerName {
    std::string_view number;
    std::string_view rest;
};

// "<prefix>12.rest" in parts.
std::optional<LayerName> splitLayer(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return std::nullopt;
    name.remove_prefix(prefix.size());
    const size_t dot = name.find('.');
    constexpr size_t kMaxDigits = 6;
    if (dot == std::string_view::npos || dot == 0 || dot > kMaxDigits) return std::nullopt;
    const std::string_view number = name.substr(0, dot);
    if (!std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    return LayerName{number, name.substr(dot + 1)};
}

using NameMember = std::string_view NamePair::*;

template <size_t Size>
std::optional<std::string_view> translate(const std::array<NamePair, Size>& names, std::string_view name,
                                          NameMember from, NameMember to) {
    const auto found = std::ranges::find(names, name, from);
    return found == names.end() ? std::nullopt : std::optional((*found).*to);
}

std::optional<std::string> translateName(std::string_view name, NameMember from, NameMember to,
                                         std::string_view fromLayer, std::string_view toLayer) {
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view suffix = name.substr(dot);
    if (suffix != ".weight" && suffix != ".bias") return std::nullopt;
    const std::string_view stem = name.substr(0, dot);
    if (const auto layer = splitLayer(stem, fromLayer)) {
        const auto rest = translate(kLayerNames, layer->rest, from, to);
        if (!rest) return std::nullopt;
        return fmt::format("{}{}.{}{}", toLayer, layer->number, *rest, suffix);
    }
    const auto global = translate(kGlobalNames, stem, from, to);
    if (!global) return std::nullopt;
    return fmt::format("{}{}", *global, suffix);
}

// Per-layer lists occur in models whose layers differ; equal entries are the usual case in another form.
int64_t uniformInteger(const GgufFile& file, const std::string& key) {
    const auto found = file.metadata().find(key);
    const auto* list = found == file.metadata().end() ? nullptr : std::get_if<std::vector<int64_t>>(&found->second);
    if (list == nullptr || list->empty()) return file.requiredInteger(key);
    if (std::ranges::all_of(*list, [&](int64_t value) { return value == list->front(); })) return list->front();
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: '{}' differs from layer to layer, which is not supported", file.path().string(), key)};
}

void readRopeScaling(const GgufFile& file, const std::string& prefix, ModelConfig& config) {
    const std::string kind = file.text(prefix + "rope.scaling.type").value_or("none");
    if (kind == "linear") {
        config.ropeScaling.kind = RopeScalingKind::Linear;
        config.ropeScaling.factor = file.number(prefix + "rope.scaling.factor").value_or(1.0);
    } else if (kind != "none") {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: rotary scaling '{}' is not supported; supported are none, linear "
                                "and frequency factors",
                                file.path().string(), kind)};
    }
    const GgufTensor* factors = file.find("rope_freqs.weight");
    if (factors == nullptr) return;
    if (factors->type != GgufType::F32 || factors->shape.size() != 1 || factors->shape.front() > config.headDim) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'rope_freqs.weight' must be a short vector of F32", file.path().string())};
    }
    config.ropeScaling.kind = RopeScalingKind::FrequencyFactors;
    config.ropeScaling.frequencyFactors.resize(static_cast<size_t>(factors->shape.front()));
    widenToFloat(DType::F32, factors->bytes, config.ropeScaling.frequencyFactors, "rope_freqs.weight");
    if (std::ranges::any_of(config.ropeScaling.frequencyFactors, [](float factor) { return !(factor > 0.0F); })) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'rope_freqs.weight' holds a factor that is not positive", file.path().string())};
    }
}

std::optional<int32_t> tokenId(const GgufFile& file, const char* key) {
    const auto id = file.integer(key);
    if (!id || *id == 0xffffffff || *id == -1) return std::nullopt;  // both stand for "none"
    if (*id < 0 || *id > INT32_MAX) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: '{}' is {}", file.path().string(), key, *id)};
    }
    return static_cast<int32_t>(*id);
}

void readTokenIds(const GgufFile& file, ModelConfig& config) {
    config.bosTokenId = tokenId(file, "tokenizer.ggml.bos_token_id");
    config.padTokenId = tokenId(file, "tokenizer.ggml.padding_token_id");
    for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
        const auto id = tokenId(file, key);
        if (id && std::ranges::find(config.eosTokenIds, *id) == config.eosTokenIds.end())
            config.eosTokenIds.push_back(*id);
    }
}

int64_t vocabularySize(const GgufFile& file, const std::string& prefix) {
    const GgufTensor* embedding = file.find("token_embd.weight");
    if (embedding != nullptr) return embedding->shape.front();
    if (const auto size = file.integer(prefix + "vocab_size")) return *size;
    const auto* tokens = file.texts("tokenizer.ggml.tokens");
    return tokens == nullptr ? 0 : static_cast<int64_t>(tokens->size());
}

void readSizes(const GgufFile& file, const std::string& prefix, ModelConfig& config) {
    config.hiddenSize = file.requiredInteger(prefix + "embedding_length");
    config.intermediateSize = uniformInteger(file, prefix + "feed_forward_length");
    config.numLayers = file.requiredInteger(prefix + "block_count");
    config.numHeads = uniformInteger(file, prefix + "attention.head_count");
    const std::string kvKey = prefix + "attention.head_count_kv";
    config.numKvHeads = file.metadata().contains(kvKey) ? uniformInteger(file, kvKey) : config.numHeads;
    config.maxPositions = file.requiredInteger(prefix + "context_length");
    config.vocabularySize = vocabularySize(file, prefix);
    if (config.numHeads < 1) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: '{}attention.head_count' is {}", file.path().string(), prefix, config.numHeads)};
    }
    config.headDim = file.integer(prefix + "attention.key_length").value_or(config.hiddenSize / config.numHeads);
    const int64_t valueDim = file.integer(prefix + "attention.value_length").value_or(config.headDim);
    const int64_t rotaryDim = file.integer(prefix + "rope.dimension_count").value_or(config.headDim);
    if (valueDim != config.headDim || rotaryDim != config.headDim) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: key length {}, value length {} and rotary length {} differ, "
                                "which is not supported",
                                file.path().string(), config.headDim, valueDim, rotaryDim)};
    }
}

DType storedDtype(const GgufFile& file) {
    const GgufTensor* tensor = file.find("blk.0.attn_q.weight");
    const auto dtype = tensor == nullptr ? std::nullopt : dtypeOfGguf(tensor->type);
    return dtype.value_or(DType::F32);
}

}  // namespace

std::optional<DType> dtypeOfGguf(GgufType type) {
    switch (type) {
        case GgufType::F32: return DType::F32;
        case GgufType::F16: return DType::F16;
        case GgufType::BF16: return DType::BF16;
        case GgufType::Q8_0: return DType::Q8_0;
        default: return std::nullopt;
    }
}

std::optional<std::string> huggingFaceName(std::string_view name) {
    return translateName(name, &NamePair::gguf, &NamePair::huggingFace, kGgufLayer, kHuggingFaceLayer);
}

std::optional<std::string> ggufName(std::string_view name) {
    return translateName(name, &NamePair::huggingFace, &NamePair::gguf, kHuggingFaceLayer, kGgufLayer);
}

ModelConfig modelConfigFromGguf(const GgufFile& file) {
    const std::string source = file.path().string();
    const auto architecture = file.text("general.architecture");
    if (!architecture) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: metadata 'general.architecture' is missing", source)};
    }
    if (*architecture != "llama" && *architecture != "qwen2") {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: models of architecture '{}' are not supported; supported are "
                                "llama and qwen2",
                                source, *architecture)};
    }
    const std::string prefix = *architecture + ".";
    if (const int64_t experts = file.integer(prefix + "expert_count").value_or(0); experts > 0) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: a mixture of {} experts is not supported", source, experts)};
    }
    ModelConfig config;
    config.modelType = *architecture;
    config.architecture = *architecture == "llama" ? "LlamaForCausalLM" : "Qwen2ForCausalLM";
    readSizes(file, prefix, config);
    config.normEps = file.number(prefix + "attention.layer_norm_rms_epsilon").value_or(1e-5);
    config.ropeTheta = file.number(prefix + "rope.freq_base").value_or(10000.0);
    readRopeScaling(file, prefix, config);
    config.tieWordEmbeddings = file.find("output.weight") == nullptr;
    config.attentionBias = file.find("blk.0.attn_q.bias") != nullptr;
    config.outputBias = file.find("blk.0.attn_output.bias") != nullptr;
    config.mlpBias = file.find("blk.0.ffn_up.bias") != nullptr;
    config.slidingWindow = file.integer(prefix + "attention.sliding_window").value_or(0);
    if (config.slidingWindow > 0 && config.modelType == "llama") {  // GGUF files Mistral models under llama
        config.modelType = "mistral";
        config.architecture = "MistralForCausalLM";
    }
    readTokenIds(file, config);
    config.dtype = storedDtype(file);
    checkModelConfig(config, source);
    return config;
}

}  // namespace wb::core
