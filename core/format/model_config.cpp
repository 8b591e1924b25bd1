// SPDX-License-Identifier: Apache-2.0
#include "core/format/model_config.h"

#include "core/model/architectures/architectures.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

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

int32_t ModelConfig::decoderStart() const {
    for (const std::optional<int32_t>& id : {decoderStartTokenId, padTokenId, bosTokenId}) {
        if (!id) continue;
        checkTokenId("decoder_start_token_id", *id, *this, "model config");
        return *id;
    }
    throw Error{ErrorCode::InvalidArgument,
                "the model's files name no decoder_start_token_id, pad_token_id or bos_token_id: nothing says what an "
                "answer begins with"};
}

void checkModelConfig(const ModelConfig& config, std::string_view source) {
    for (const Limit& limit : kLimits) checkSize(limit, config, source);
    if (config.numHeads % config.numKvHeads != 0) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'num_attention_heads' {} is no multiple of 'num_key_value_heads' {}", source,
                                config.numHeads, config.numKvHeads)};
    }
    if (config.rotaryDim % 2 != 0 || (config.rotaryDim == 0 && config.headDim % 2 != 0)) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: rotary positions need pairs, but {} values are rotated", source,
                                config.rotaryDim == 0 ? config.headDim : config.rotaryDim)};
    }
    if (config.rotaryDim < 0 || config.rotaryDim > config.headDim) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {} values of each head are rotated, which has {}", source,
                                                        config.rotaryDim, config.headDim)};
    }
    if (config.isEncoderDecoder && (config.numEncoderLayers < 1 || config.numEncoderLayers > 1024)) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: {} encoder layers; there must be 1 to 1024", source, config.numEncoderLayers)};
    }
    if (config.slidingWindow < 0) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: 'sliding_window' is {}", source, config.slidingWindow)};
    }
    checkNumber("norm epsilon", config.normEps, 0.0, 1.0, source);
    checkNumber("rope_theta", config.ropeTheta, 1.0, 1e15, source);
    checkNumber("initializer range", config.initializerRange, 0.0, 10.0, source);
    checkRopeScaling(config, source);
    if (config.bosTokenId) checkTokenId("bos_token_id", *config.bosTokenId, config, source);
    for (const int32_t id : config.eosTokenIds) checkTokenId("eos_token_id", id, config, source);
    if (config.decoderStartTokenId) checkTokenId("decoder_start_token_id", *config.decoderStartTokenId, config, source);
}

int64_t ModelConfig::parameterCount() const {
    int64_t count = 0;
    for (const ExpectedTensor& tensor : expectedTensors(networkConfigOf(*this))) {
        int64_t elements = 1;
        for (const int64_t extent : tensor.shape) elements *= extent;
        count += elements;
    }
    return count;
}

}  // namespace wb::core
