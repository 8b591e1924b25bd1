// SPDX-License-Identifier: Apache-2.0
#include "core/format/model_config.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace wb::core {
namespace {

struct Limit {
    const char* key;
    int64_t ModelConfig::*field;
    int64_t maximum;  // far above any known model, far below what overflows a product of three
};

constexpr std::array kLimits{
    Limit{"hidden_size", &ModelConfig::hiddenSize, 1 << 17},
    Limit{"intermediate_size", &ModelConfig::intermediateSize, 1 << 20},
    Limit{"num_hidden_layers", &ModelConfig::numLayers, 1024},
    Limit{"num_attention_heads", &ModelConfig::numHeads, 4096},
    Limit{"num_key_value_heads", &ModelConfig::numKvHeads, 4096},
    Limit{"head_dim", &ModelConfig::headDim, 4096},
    Limit{"vocab_size", &ModelConfig::vocabularySize, 1 << 22},
    Limit{"max_position_embeddings", &ModelConfig::maxPositions, 1 << 28},
};

void checkSize(const Limit& limit, const ModelConfig& config, std::string_view source) {
    const int64_t value = config.*limit.field;
    if (value >= 1 && value <= limit.maximum) return;
    throw Error{ErrorCode::CorruptFile,
                fmt::format("{}: '{}' is {}; it must be 1 to {}", source, limit.key, value, limit.maximum)};
}

void checkNumber(const char* key, double value, double minimum, double maximum, std::string_view source) {
    if (value >= minimum && value <= maximum) return;  // false for NaN
    throw Error{ErrorCode::CorruptFile,
                fmt::format("{}: '{}' is {}; it must be {} to {}", source, key, value, minimum, maximum)};
}

void checkTokenId(const char* key, int32_t id, const ModelConfig& config, std::string_view source) {
    if (id >= 0 && id < config.vocabularySize) return;
    throw Error{ErrorCode::CorruptFile,
                fmt::format("{}: '{}' is {}, outside the vocabulary of {}", source, key, id, config.vocabularySize)};
}

void checkRopeScaling(const ModelConfig& config, std::string_view source) {
    const RopeScaling& scaling = config.ropeScaling;
    checkNumber("rope factor", scaling.factor, 1e-3, 1e6, source);
    if (scaling.kind == RopeScalingKind::Llama3) {
        checkNumber("low_freq_factor", scaling.lowFrequencyFactor, 1e-6, 1e6, source);
        checkNumber("high_freq_factor", scaling.highFrequencyFactor, 1e-6, 1e6, source);
        checkNumber("original_max_position_embeddings", static_cast<double>(scaling.originalMaxPositions), 1, 1 << 28,
                    source);
        if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: 'high_freq_factor' {} must exceed 'low_freq_factor' {}", source,
                                    scaling.highFrequencyFactor, scaling.lowFrequencyFactor)};
        }
    }
    const auto numFactors = static_cast<int64_t>(scaling.frequencyFactors.size());
    if (scaling.kind == RopeScalingKind::FrequencyFactors && numFactors != config.headDim / 2) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {} rotary frequency factors for a head dimension of {}",
                                                        source, numFactors, config.headDim)};
    }
}

}  // namespace

void checkModelConfig(const ModelConfig& config, std::string_view source) {
    for (const Limit& limit : kLimits) checkSize(limit, config, source);
    if (config.numHeads % config.numKvHeads != 0) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'num_attention_heads' {} is no multiple of 'num_key_value_heads' {}", source,
                                config.numHeads, config.numKvHeads)};
    }
    if (config.headDim % 2 != 0) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: 'head_dim' {} is odd, rotary positions need pairs", source, config.headDim)};
    }
    if (config.slidingWindow < 0) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: 'sliding_window' is {}", source, config.slidingWindow)};
    }
    constexpr std::array kActivations{"silu", "gelu", "gelu_pytorch_tanh", "relu"};
    if (std::ranges::find(kActivations, config.hiddenAct) == kActivations.end()) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: activation '{}' is not known; known are silu, gelu, gelu_pytorch_tanh, relu",
                                source, config.hiddenAct)};
    }
    checkNumber("rms_norm_eps", config.rmsNormEps, 0.0, 1.0, source);
    checkNumber("rope_theta", config.ropeTheta, 1.0, 1e15, source);
    checkNumber("initializer_range", config.initializerRange, 0.0, 10.0, source);
    checkRopeScaling(config, source);
    if (config.bosTokenId) checkTokenId("bos_token_id", *config.bosTokenId, config, source);
    for (const int32_t id : config.eosTokenIds) checkTokenId("eos_token_id", id, config, source);
}

std::vector<ExpectedTensor> expectedTensors(const ModelConfig& config) {
    const int64_t hidden = config.hiddenSize;
    const int64_t queryRows = config.numHeads * config.headDim;
    const int64_t keyRows = config.numKvHeads * config.headDim;
    std::vector<ExpectedTensor> tensors;
    const auto addLinear = [&](const std::string& name, int64_t rows, int64_t columns, bool hasBias) {
        tensors.push_back({name + ".weight", {rows, columns}});
        if (hasBias) tensors.push_back({name + ".bias", {rows}});
    };
    tensors.push_back({"model.embed_tokens.weight", {config.vocabularySize, hidden}});
    for (int64_t layer = 0; layer < config.numLayers; ++layer) {
        const std::string prefix = fmt::format("model.layers.{}.", layer);
        tensors.push_back({prefix + "input_layernorm.weight", {hidden}});
        addLinear(prefix + "self_attn.q_proj", queryRows, hidden, config.attentionBias);
        addLinear(prefix + "self_attn.k_proj", keyRows, hidden, config.attentionBias);
        addLinear(prefix + "self_attn.v_proj", keyRows, hidden, config.attentionBias);
        addLinear(prefix + "self_attn.o_proj", hidden, queryRows, config.outputBias);
        tensors.push_back({prefix + "post_attention_layernorm.weight", {hidden}});
        addLinear(prefix + "mlp.gate_proj", config.intermediateSize, hidden, config.mlpBias);
        addLinear(prefix + "mlp.up_proj", config.intermediateSize, hidden, config.mlpBias);
        addLinear(prefix + "mlp.down_proj", hidden, config.intermediateSize, config.mlpBias);
    }
    tensors.push_back({"model.norm.weight", {hidden}});
    if (!config.tieWordEmbeddings) tensors.push_back({"lm_head.weight", {config.vocabularySize, hidden}});
    return tensors;
}

int64_t ModelConfig::parameterCount() const {
    int64_t count = 0;
    for (const ExpectedTensor& tensor : expectedTensors(*this)) {
        int64_t elements = 1;
        for (const int64_t extent : tensor.shape) elements *= extent;
        count += elements;
    }
    return count;
}

std::vector<double> ropeInverseFrequencies(const ModelConfig& config) {
    const RopeScaling& scaling = config.ropeScaling;
    std::vector<double> frequencies(static_cast<size_t>(config.headDim / 2));
    for (size_t i = 0; i < frequencies.size(); ++i) {
        const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(config.headDim);
        double frequency = std::pow(config.ropeTheta, -exponent);
        switch (scaling.kind) {
            case RopeScalingKind::None: break;
            case RopeScalingKind::Linear: frequency /= scaling.factor; break;
            case RopeScalingKind::FrequencyFactors:
                frequency /= static_cast<double>(scaling.frequencyFactors[i]);
                break;
            case RopeScalingKind::Llama3: {
                // Wavelengths that fit the original context often enough stay, long ones are stretched by the factor,
                // those in between are mixed linearly in the number of turns.
                const double turns =
                    static_cast<double>(scaling.originalMaxPositions) * frequency / (2.0 * std::numbers::pi);
                const double mix = std::clamp(
                    (turns - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor),
                    0.0, 1.0);
                frequency = (1.0 - mix) * frequency / scaling.factor + mix * frequency;
                break;
            }
        }
        frequencies[i] = frequency;
    }
    return frequencies;
}

}  // namespace wb::core
