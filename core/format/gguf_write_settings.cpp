// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_settings.h"

#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {
namespace {

[[noreturn]] void refuse(std::string_view what) {
    throw Error{ErrorCode::Unsupported,
                fmt::format("{} has no form in GGUF that llama.cpp computes alike; export as safetensors", what)};
}

// Frequency factors (and with them Llama 3's scaling) are written as a tensor.
void writeRope(const ModelConfig& config, const std::string& prefix, GgufMetadata& metadata) {
    metadata.push_back({prefix + "rope.dimension_count", static_cast<uint32_t>(config.headDim)});
    metadata.push_back({prefix + "rope.freq_base", static_cast<float>(config.ropeTheta)});
    switch (config.ropeScaling.kind) {
        case RopeScalingKind::None:
        case RopeScalingKind::Dynamic:  // differs only beyond the context
        case RopeScalingKind::Llama3:
        case RopeScalingKind::FrequencyFactors: return;
        case RopeScalingKind::Linear:
            metadata.push_back({prefix + "rope.scaling.type", std::string("linear")});
            metadata.push_back({prefix + "rope.scaling.factor", static_cast<float>(config.ropeScaling.factor)});
            return;
        case RopeScalingKind::Yarn: break;
    }
    refuse("rotary scaling 'yarn'");
}

void requireNoFactors(const ModelConfig& config) {
    const RopeScalingKind kind = config.ropeScaling.kind;
    if (kind == RopeScalingKind::Llama3 || kind == RopeScalingKind::FrequencyFactors) {
        refuse(fmt::format("rotary frequency factors of model type '{}'", config.modelType));
    }
}

void requireActivation(const ModelConfig& config, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        if (config.hiddenAct == name) return;
    }
    refuse(fmt::format("activation '{}' of model type '{}'", config.hiddenAct, config.modelType));
}

float numberOr(const nlohmann::json& json, const char* key, double otherwise) {
    const auto found = json.find(key);
    return static_cast<float>(found != json.end() && found->is_number() ? found->get<double>() : otherwise);
}

// The rotary base of windowed layers: a key of its own, or since transformers 5 one of a pair.
float localTheta(const nlohmann::json& json) {
    constexpr double kDefault = 10000.0;
    const auto parameters = json.find("rope_parameters");
    if (parameters != json.end() && parameters->is_object() && parameters->contains("sliding_attention")) {
        return numberOr((*parameters)["sliding_attention"], "rope_theta", kDefault);
    }
    return numberOr(json, "rope_local_base_freq", kDefault);
}

// llama.cpp has one scale of the scores: 1 / sqrt(head dimension), and in the 27B models 1 / sqrt(hidden / heads).
void requireScoreScale(const ModelConfig& config, const nlohmann::json& json, int64_t layersOf27B) {
    const int64_t expected = config.numLayers == layersOf27B ? config.hiddenSize / config.numHeads : config.headDim;
    constexpr double kDefault = 256.0;
    const auto scalar = static_cast<double>(numberOr(json, "query_pre_attn_scalar", kDefault));
    if (scalar != static_cast<double>(expected)) {
        refuse(fmt::format("'query_pre_attn_scalar' {} with a head dimension of {}", scalar, config.headDim));
    }
}

// All layers but every period-th have a window; another pattern is listed.
void writeWindows(const ModelConfig& config, int64_t period, const std::string& prefix, GgufMetadata& metadata) {
    if (config.slidingWindow == 0) {
        metadata.push_back({prefix + "attention.sliding_window", uint32_t{0}});
        return;
    }
    metadata.push_back({prefix + "attention.sliding_window", static_cast<uint32_t>(config.slidingWindow)});
    const auto fits = [&](int64_t candidate) {
        for (int64_t layer = 0; layer < config.numLayers; ++layer) {
            const bool isSliding = layer % candidate < candidate - 1;
            if (isSliding != (config.windowOfLayer(layer) > 0)) return false;
        }
        return true;
    };
    if (fits(period)) return;
    constexpr int64_t kMaxPeriod = 64;
    for (int64_t other = 1; other <= kMaxPeriod; ++other) {
        if (!fits(other)) continue;
        metadata.push_back({prefix + "attention.sliding_window_pattern", static_cast<uint32_t>(other)});
        return;
    }
    refuse(fmt::format("the order of windows in the layers of model type '{}'", config.modelType));
}

}  // namespace

// A Mistral file states its window, which llama.cpp ignores; the exporter limits the context to it.
void writeLlamaSettings(const ModelConfig& config, const nlohmann::json& /*json*/, const std::string& prefix,
                        GgufMetadata& metadata) {
    requireActivation(config, {"silu"});
    writeRope(config, prefix, metadata);
    if (config.slidingWindow > 0) {
        metadata.push_back({prefix + "attention.sliding_window", static_cast<uint32_t>(config.slidingWindow)});
    }
}

void writeQwenSettings(const ModelConfig& config, const nlohmann::json& /*json*/, const std::string& prefix,
                       GgufMetadata& metadata) {
    requireActivation(config, {"silu"});
    if (config.slidingWindow > 0) {
        refuse(fmt::format("a sliding window of {} of model type '{}'", config.slidingWindow, config.modelType));
    }
    requireNoFactors(config);
    writeRope(config, prefix, metadata);
}

void writeGemmaSettings(const ModelConfig& config, const nlohmann::json& /*json*/, const std::string& prefix,
                        GgufMetadata& metadata) {
    // "gelu" in files of the first generation means the approximation by tanh, too.
    requireActivation(config, {"gelu_pytorch_tanh", "gelu_new"});
    requireNoFactors(config);
    if (!config.tieWordEmbeddings) refuse("a head of its own of model type 'gemma'");
    writeRope(config, prefix, metadata);
}

void writeGemma2Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                         GgufMetadata& metadata) {
    constexpr int64_t kLayersOf27B = 46;
    writeGemmaSettings(config, json, prefix, metadata);
    requireScoreScale(config, json, kLayersOf27B);
    constexpr int64_t kPeriod = 2;
    writeWindows(config, kPeriod, prefix, metadata);
    // Without a cap: one that no score reaches.
    constexpr double kNoCap = 1e9;
    metadata.push_back({prefix + "attn_logit_softcapping", numberOr(json, "attn_logit_softcapping", kNoCap)});
    metadata.push_back({prefix + "final_logit_softcapping", numberOr(json, "final_logit_softcapping", 0.0)});
}

void writeGemma3Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                         GgufMetadata& metadata) {
    constexpr int64_t kLayersOf27B = 62;
    writeGemmaSettings(config, json, prefix, metadata);
    requireScoreScale(config, json, kLayersOf27B);
    if (numberOr(json, "attn_logit_softcapping", 0.0) > 0) refuse("a cap of the scores of model type 'gemma3_text'");
    constexpr int64_t kPeriod = 6;
    writeWindows(config, kPeriod, prefix, metadata);
    metadata.push_back({prefix + "rope.freq_base_swa", localTheta(json)});
    if (const float cap = numberOr(json, "final_logit_softcapping", 0.0); cap > 0)
        metadata.push_back({prefix + "final_logit_softcapping", cap});
}

void writeGpt2Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& /*prefix*/,
                       GgufMetadata& /*metadata*/) {
    requireActivation(config, {"gelu_new", "gelu_pytorch_tanh"});
    if (json.value("scale_attn_by_inverse_layer_idx", false)) refuse("'scale_attn_by_inverse_layer_idx'");
}

void writeT5Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                     GgufMetadata& metadata) {
    const std::string feedForward = json.value("feed_forward_proj", "relu");
    if (feedForward != "relu" && feedForward != "gated-gelu")
        refuse(fmt::format("'feed_forward_proj' {}", feedForward));
    constexpr int64_t kMaxDistance = 128;
    if (const auto distance = json.value("relative_attention_max_distance", kMaxDistance); distance != kMaxDistance) {
        refuse(fmt::format("'relative_attention_max_distance' {}", distance));
    }
    metadata.push_back({prefix + "attention.layer_norm_epsilon", static_cast<float>(config.normEps)});
    metadata.push_back({prefix + "attention.relative_buckets_count",
                        static_cast<uint32_t>(json.value("relative_attention_num_buckets", 32))});
    metadata.push_back(
        {prefix + "decoder_start_token_id", static_cast<uint32_t>(config.decoderStartTokenId.value_or(0))});
}

}  // namespace wb::core
