// SPDX-License-Identifier: Apache-2.0
// What a decoder of the Llama family needs to know, whichever file it came from.
#pragma once

#include "kernels/base/dtype.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

enum class RopeScalingKind {
    None,
    Linear,            // positions divided by `factor`
    Llama3,            // low frequencies divided by `factor`, a ramp in between
    FrequencyFactors,  // each frequency divided by its own number (GGUF rope_freqs)
};

struct RopeScaling {
    RopeScalingKind kind = RopeScalingKind::None;
    double factor = 1.0;
    double lowFrequencyFactor = 1.0;
    double highFrequencyFactor = 4.0;
    int64_t originalMaxPositions = 0;
    std::vector<float> frequencyFactors;  // [headDim / 2]

    bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig {
    std::string modelType;     // "llama", "mistral", "qwen2"
    std::string architecture;  // "LlamaForCausalLM"
    int64_t hiddenSize = 0;
    int64_t intermediateSize = 0;
    int64_t numLayers = 0;
    int64_t numHeads = 0;
    int64_t numKvHeads = 0;
    int64_t headDim = 0;
    int64_t vocabularySize = 0;
    int64_t maxPositions = 0;
    double rmsNormEps = 1e-6;
    double ropeTheta = 10000.0;
    RopeScaling ropeScaling;
    bool tieWordEmbeddings = false;
    bool attentionBias = false;  // q, k and v projections
    bool outputBias = false;     // o projection
    bool mlpBias = false;        // gate, up and down projections
    // A position sees itself and the slidingWindow - 1 before it; 0 sees all. Layers before firstSlidingLayer see all.
    int64_t slidingWindow = 0;
    int64_t firstSlidingLayer = 0;
    std::string hiddenAct = "silu";
    double attentionDropout = 0.0;
    double initializerRange = 0.02;
    std::optional<int32_t> bosTokenId;
    std::vector<int32_t> eosTokenIds;
    std::optional<int32_t> padTokenId;
    DType dtype = DType::F32;  // of the stored weights, as the file says

    std::string sourceJson;  // the text of the config.json it came from, empty for GGUF

    // Window of one layer, 0 for none.
    int64_t windowOfLayer(int64_t layer) const { return layer >= firstSlidingLayer ? slidingWindow : 0; }
    // Parameters of the network; a tied head counts once.
    int64_t parameterCount() const;
};

struct GenerationConfig {
    std::optional<int32_t> bosTokenId;
    std::vector<int32_t> eosTokenIds;
    std::optional<int32_t> padTokenId;
    std::optional<bool> doSample;
    std::optional<double> temperature;
    std::optional<int64_t> topK;
    std::optional<double> topP;
    std::optional<double> minP;
    std::optional<double> repetitionPenalty;
    std::optional<int64_t> maxNewTokens;
    std::optional<int64_t> numBeams;
};

// Name, shape (outermost first) of one weight as a Hugging Face folder names it.
struct ExpectedTensor {
    std::string name;
    std::vector<int64_t> shape;

    bool operator==(const ExpectedTensor&) const = default;
};

// Every weight a model of this config has, in forward order; lm_head.weight only if untied.
std::vector<ExpectedTensor> expectedTensors(const ModelConfig& config);

// Rotary frequencies in radians per position, [headDim / 2], with the scaling applied.
std::vector<double> ropeInverseFrequencies(const ModelConfig& config);

// Throws CorruptFile naming the key on a value that is absurd (zero, negative, beyond any known model) or contradicts
// another (hidden size and heads), Unsupported on an activation or model type that the decoder lacks.
void checkModelConfig(const ModelConfig& config, std::string_view sourceName);

}  // namespace wb::core
