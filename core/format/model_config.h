// SPDX-License-Identifier: Apache-2.0
// The sizes and settings that all model families share, whichever file they came from. What only one family knows stays
// in sourceJson and is read by the family itself (core/model/architectures).
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
    Dynamic,           // changes only beyond maxPositions, which the engine refuses anyway
    Llama3,            // low frequencies divided by `factor`, a ramp in between
    Yarn,              // the same with a ramp over pair numbers and a magnitude (Peng et al. 2023, arXiv:2309.00071)
    FrequencyFactors,  // each frequency divided by its own number (GGUF rope_freqs)
};

struct RopeScaling {
    RopeScalingKind kind = RopeScalingKind::None;
    double factor = 1.0;
    double lowFrequencyFactor = 1.0;
    double highFrequencyFactor = 4.0;
    int64_t originalMaxPositions = 0;
    double fastRotations = 32.0;  // Yarn: pairs that turn more often within the original context stay as they are,
    double slowRotations = 1.0;   //   pairs that turn less often are stretched
    bool isRampRounded = true;    // Yarn: the ends of the ramp are whole pair numbers
    double magnitude = 1.0;       // of rotated values
    std::vector<float> frequencyFactors;  // [headDim / 2]

    bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig {
    std::string modelType;     // "llama", "gpt2", "t5" ...
    std::string architecture;  // "LlamaForCausalLM"
    bool isEncoderDecoder = false;
    int64_t hiddenSize = 0;
    int64_t intermediateSize = 0;
    int64_t numLayers = 0;  // of the decoder
    int64_t numEncoderLayers = 0;
    int64_t numHeads = 0;
    int64_t numKvHeads = 0;
    int64_t headDim = 0;
    int64_t rotaryDim = 0;  // leading values of a head that are rotated; 0: all
    int64_t vocabularySize = 0;
    int64_t maxPositions = 0;
    double normEps = 1e-6;
    double ropeTheta = 10000.0;
    RopeScaling ropeScaling;
    bool tieWordEmbeddings = false;
    bool attentionBias = false;  // q, k and v projections
    bool outputBias = false;     // o projection
    bool mlpBias = false;        // gate, up and down projections
    // A position sees itself and the slidingWindow - 1 before it, in the layers listed or in all; 0 sees all.
    int64_t slidingWindow = 0;
    std::vector<bool> slidingLayers;  // by layer; empty: every layer
    std::string hiddenAct = "silu";
    double attentionDropout = 0.0;
    double initializerRange = 0.02;
    std::optional<int32_t> bosTokenId;
    std::vector<int32_t> eosTokenIds;
    std::optional<int32_t> padTokenId;
    std::optional<int32_t> decoderStartTokenId;  // what an encoder-decoder's decoder begins with
    DType dtype = DType::F32;                    // of the stored weights, as the file says

    std::string sourceJson;  // the text of the config.json it came from, empty for GGUF

    // Window of one layer, 0 for none.
    int64_t windowOfLayer(int64_t layer) const {
        return slidingLayers.empty() || slidingLayers[static_cast<size_t>(layer)] ? slidingWindow : 0;
    }
    // First id of every sequence of an encoder-decoder's decoder: decoder_start_token_id, else pad, else bos.
    // Throws InvalidArgument naming the keys if the files have none of them, CorruptFile if it is outside the
    // vocabulary.
    int32_t decoderStart() const;
    // Parameters of the network; a tied head counts once. Throws what networkConfigOf throws.
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
    std::optional<double> lengthPenalty;
    std::optional<bool> earlyStopping;
    std::optional<int64_t> minLength;  // of everything the decoder has read and written
    std::optional<int64_t> minNewTokens;
    std::optional<int64_t> noRepeatNgramSize;
    std::optional<int64_t> encoderNoRepeatNgramSize;  // n-grams of the encoder's input
    std::vector<std::vector<int32_t>> badWords;       // sequences that are never completed
    std::vector<int32_t> suppressedTokens;
    std::vector<int32_t> beginSuppressedTokens;  // as the first of an answer
    std::optional<int32_t> decoderStartTokenId;
    std::optional<int32_t> forcedBosTokenId;  // the first token an encoder-decoder answers with
    std::optional<int32_t> forcedEosTokenId;  // the last token of an answer that reaches its limit
    std::vector<std::string> unsupported;  // settings that would change answers and that the engine lacks, as written
};

// Rotary frequencies in radians per position, [rotaryDim / 2], with the scaling applied.
std::vector<double> ropeInverseFrequencies(const RopeScaling& scaling, double theta, int64_t rotaryDim);

// Throws CorruptFile naming the key on a value that is absurd (zero, negative, beyond any known model) or contradicts
// another (hidden size and heads), Unsupported on an activation or model type that the decoder lacks.
void checkModelConfig(const ModelConfig& config, std::string_view sourceName);

}  // namespace wb::core
