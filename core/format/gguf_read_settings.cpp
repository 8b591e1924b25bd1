// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_settings.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace wb::core {
namespace {

using nlohmann::ordered_json;

double numberOr(const GgufFile& file, const std::string& key, double fallback) {
    return shortestNumber(file.number(key).value_or(fallback));
}

int64_t headDimOf(const GgufFile& file, const std::string& prefix) {
    if (const auto length = file.integer(prefix + "attention.key_length")) return *length;
    const int64_t heads = uniformInteger(file, prefix + "attention.head_count");
    return heads > 0 ? file.requiredInteger(prefix + "embedding_length") / heads : 0;
}

// The leading values of a head that are rotated.
int64_t rotaryDimOf(const GgufFile& file, const std::string& prefix) {
    return file.integer(prefix + "rope.dimension_count").value_or(headDimOf(file, prefix));
}

void requireWholeHeadsRotated(const GgufFile& file, const std::string& prefix) {
    const int64_t headDim = headDimOf(file, prefix);
    const int64_t rotaryDim = rotaryDimOf(file, prefix);
    if (rotaryDim == headDim) return;
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: key length {} and rotary length {} differ, which this architecture does not support",
                            file.path().string(), headDim, rotaryDim)};
}

double partialRotary(const GgufFile& file, const std::string& prefix) {
    const int64_t headDim = headDimOf(file, prefix);
    const int64_t rotaryDim = rotaryDimOf(file, prefix);
    if (headDim < 1 || rotaryDim < 1 || rotaryDim > headDim) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: rotary length {} for a key length of {}",
                                                        file.path().string(), rotaryDim, headDim)};
    }
    return static_cast<double>(rotaryDim) / static_cast<double>(headDim);
}

ordered_json ropeScaling(const GgufFile& file, const std::string& prefix) {
    const std::string scaling = prefix + "rope.scaling.";
    const std::string kind = file.text(scaling + "type").value_or("none");
    if (kind == "none") return nullptr;
    if (kind != "linear" && kind != "yarn") {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: rotary scaling '{}' is not supported; supported are none, linear, yarn and "
                                "frequency factors",
                                file.path().string(), kind)};
    }
    ordered_json json{{"rope_type", kind}, {"factor", numberOr(file, scaling + "factor", 1.0)}};
    if (kind == "linear") return json;
    json["original_max_position_embeddings"] = file.requiredInteger(scaling + "original_context_length");
    if (const auto factor = file.number(scaling + "yarn_attn_factor")) json["attention_factor"] = *factor;
    if (const auto beta = file.number(scaling + "yarn_beta_fast")) json["beta_fast"] = *beta;
    if (const auto beta = file.number(scaling + "yarn_beta_slow")) json["beta_slow"] = *beta;
    return json;
}

void readRope(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    json["rope_theta"] = numberOr(file, prefix + "rope.freq_base", 10000.0);
    if (ordered_json scaling = ropeScaling(file, prefix); !scaling.is_null()) json["rope_scaling"] = scaling;
}

// How the layers alternate, if the file says so: a period, or a list that holds true for layers with a window.
void readWindowPattern(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    const auto found = file.metadata().find(prefix + "attention.sliding_window_pattern");
    if (found == file.metadata().end()) return;
    if (const auto* list = std::get_if<std::vector<int64_t>>(&found->second)) {
        ordered_json types = ordered_json::array();
        for (const int64_t isSliding : *list) types.push_back(isSliding != 0 ? "sliding_attention" : "full_attention");
        json["layer_types"] = types;
        return;
    }
    const int64_t period = file.requiredInteger(found->first);
    const int64_t layers = file.requiredInteger(prefix + "block_count");
    constexpr int64_t kMaxLayers = 1 << 16;
    if (period < 1 || layers < 1 || layers > kMaxLayers) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: '{}' is {} for {} layers", file.path().string(), found->first, period, layers)};
    }
    ordered_json types = ordered_json::array();
    for (int64_t layer = 0; layer < layers; ++layer) {
        types.push_back(layer % period < period - 1 ? "sliding_attention" : "full_attention");
    }
    json["layer_types"] = types;
}

}  // namespace

double shortestNumber(double number) {
    const auto narrow = static_cast<float>(number);
    if (!std::isfinite(number) || static_cast<double>(narrow) != number) return number;
    return std::strtod(fmt::format("{}", narrow).c_str(), nullptr);
}

int64_t uniformInteger(const GgufFile& file, const std::string& key) {
    const auto found = file.metadata().find(key);
    const auto* list = found == file.metadata().end() ? nullptr : std::get_if<std::vector<int64_t>>(&found->second);
    if (list == nullptr || list->empty()) return file.requiredInteger(key);
    if (std::ranges::all_of(*list, [&](int64_t value) { return value == list->front(); })) return list->front();
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: '{}' differs between layers, which is not supported", file.path().string(), key)};
}

void readLlamaSettings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    requireWholeHeadsRotated(file, prefix);
    readRope(file, prefix, json);
    json["hidden_act"] = "silu";
    const int64_t window = file.integer(prefix + "attention.sliding_window").value_or(0);
    if (window > 0) {  // GGUF files Mistral models under llama
        json["model_type"] = "mistral";
        json["architectures"] = {"MistralForCausalLM"};
        json["sliding_window"] = window;
        return;
    }
    json["attention_bias"] = file.find("blk.0.attn_q.bias") != nullptr;
    json["mlp_bias"] = file.find("blk.0.ffn_up.bias") != nullptr;
}

void readQwenSettings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    requireWholeHeadsRotated(file, prefix);
    readRope(file, prefix, json);
    json["hidden_act"] = "silu";
    json["use_sliding_window"] = false;
}

void readGemmaSettings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    requireWholeHeadsRotated(file, prefix);
    readRope(file, prefix, json);
    json["hidden_act"] = "gelu_pytorch_tanh";
    json["hidden_activation"] = "gelu_pytorch_tanh";
}

void readGemma2Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    readGemmaSettings(file, prefix, json);
    // The largest one alone scales scores by hidden / heads, and files do not say so.
    constexpr int64_t kLayersOf27B = 46;
    const bool is27B = file.requiredInteger(prefix + "block_count") == kLayersOf27B;
    const int64_t heads = uniformInteger(file, prefix + "attention.head_count");
    json["query_pre_attn_scalar"] =
        is27B && heads > 0 ? file.requiredInteger(prefix + "embedding_length") / heads : headDimOf(file, prefix);
    json["attn_logit_softcapping"] = numberOr(file, prefix + "attn_logit_softcapping", 50.0);
    json["final_logit_softcapping"] = numberOr(file, prefix + "final_logit_softcapping", 30.0);
    json["sliding_window"] = file.integer(prefix + "attention.sliding_window").value_or(4096);
    readWindowPattern(file, prefix, json);
}

void readGemma3Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    readGemmaSettings(file, prefix, json);
    constexpr int64_t kLayersOf27B = 62;
    const bool is27B = file.requiredInteger(prefix + "block_count") == kLayersOf27B;
    const int64_t heads = uniformInteger(file, prefix + "attention.head_count");
    json["query_pre_attn_scalar"] =
        is27B && heads > 0 ? file.requiredInteger(prefix + "embedding_length") / heads : headDimOf(file, prefix);
    json["rope_theta"] = numberOr(file, prefix + "rope.freq_base", 1e6);
    json["rope_local_base_freq"] = numberOr(file, prefix + "rope.freq_base_swa", 10000.0);
    json["final_logit_softcapping"] = nullptr;
    if (const auto cap = file.number(prefix + "final_logit_softcapping"); cap && *cap > 0)
        json["final_logit_softcapping"] = shortestNumber(*cap);
    json["attn_logit_softcapping"] = nullptr;
    const int64_t window = file.integer(prefix + "attention.sliding_window").value_or(0);
    json["sliding_window"] = window > 0 ? ordered_json(window) : ordered_json(nullptr);
    json["sliding_window_pattern"] = 6;
    readWindowPattern(file, prefix, json);
}

void readGraniteSettings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    readLlamaSettings(file, prefix, json);
    const double headDim = static_cast<double>(headDimOf(file, prefix));
    json["attention_multiplier"] = numberOr(file, prefix + "attention.scale", 1.0 / std::sqrt(headDim));
    json["embedding_multiplier"] = numberOr(file, prefix + "embedding_scale", 1.0);
    json["residual_multiplier"] = numberOr(file, prefix + "residual_scale", 1.0);
    json["logits_scaling"] = numberOr(file, prefix + "logit_scale", 1.0);
}

void readOlmo2Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    requireWholeHeadsRotated(file, prefix);
    readRope(file, prefix, json);
    json["hidden_act"] = "silu";
    if (file.integer(prefix + "attention.sliding_window").value_or(0) > 0) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: is an OLMo 3 model, which has sliding windows; supported is OLMo 2",
                                file.path().string())};
    }
}

void readPhi2Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    readRope(file, prefix, json);
    json["partial_rotary_factor"] = partialRotary(file, prefix);
    json["hidden_act"] = "gelu_new";
}

void readPhi3Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    readRope(file, prefix, json);
    if (file.find("rope_factors_long.weight") != nullptr || file.find("rope_factors_short.weight") != nullptr) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: rotary scaling 'longrope' is not supported", file.path().string())};
    }
    json["partial_rotary_factor"] = partialRotary(file, prefix);
    json["hidden_act"] = "silu";
    const int64_t window = file.integer(prefix + "attention.sliding_window").value_or(0);
    json["sliding_window"] = window > 0 ? ordered_json(window) : ordered_json(nullptr);
    if (const auto original = file.integer(prefix + "rope.scaling.original_context_length"))
        json["original_max_position_embeddings"] = *original;
}

void readStarcoder2Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    requireWholeHeadsRotated(file, prefix);
    readRope(file, prefix, json);
    json["hidden_act"] = "gelu_pytorch_tanh";
    json["use_bias"] = file.find("blk.0.attn_q.bias") != nullptr;
    const int64_t window = file.integer(prefix + "attention.sliding_window").value_or(0);
    json["sliding_window"] = window > 0 ? ordered_json(window) : ordered_json(nullptr);
}

void readGpt2Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    json["n_ctx"] = file.requiredInteger(prefix + "context_length");
    json["activation_function"] = "gelu_new";
}

void readGptNeoXSettings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    const double theta = numberOr(file, prefix + "rope.freq_base", 10000.0);
    json["rotary_emb_base"] = theta;
    json["rope_theta"] = theta;
    json["rotary_pct"] = partialRotary(file, prefix);
    json["partial_rotary_factor"] = json["rotary_pct"];
    json["use_parallel_residual"] = file.boolean(prefix + "use_parallel_residual").value_or(true);
    json["hidden_act"] = "gelu";
}

void readFalconSettings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    requireWholeHeadsRotated(file, prefix);
    readRope(file, prefix, json);
    const bool hasTwoNorms = file.find("blk.0.attn_norm_2.weight") != nullptr;
    const int64_t kvHeads = file.integer(prefix + "attention.head_count_kv").value_or(1);
    json["new_decoder_architecture"] = kvHeads > 1;
    json["multi_query"] = kvHeads == 1;
    json["parallel_attn"] = true;
    json["alibi"] = false;
    json["bias"] = false;
    json["num_ln_in_parallel_attn"] = hasTwoNorms ? 2 : 1;
    json["activation"] = "gelu";
}

void readT5Settings(const GgufFile& file, const std::string& prefix, ordered_json& json) {
    json["is_encoder_decoder"] = true;
    if (!json.contains("num_decoder_layers")) json["num_decoder_layers"] = json["num_layers"];
    json["relative_attention_num_buckets"] = file.requiredInteger(prefix + "attention.relative_buckets_count");
    json["relative_attention_max_distance"] = 128;
    const bool isGated = file.find("enc.blk.0.ffn_gate.weight") != nullptr;
    json["feed_forward_proj"] = isGated ? "gated-gelu" : "relu";
    json["decoder_start_token_id"] = file.integer(prefix + "decoder_start_token_id").value_or(0);
}

}  // namespace wb::core
