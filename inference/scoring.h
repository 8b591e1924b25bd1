// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/model/language_model.h"
#include "inference/sampler.h"

#include <cstdint>
#include <span>
#include <vector>

namespace wb::inference {

// Log-probabilities a model gives to text that is already there (teacher forcing).
struct SequenceScore {
    std::vector<double> logprobs;                    // of each scored id
    std::vector<std::vector<TokenAlternative>> top;  // per scored id, if asked for
};

struct ScoreOptions {
    int32_t adapter = -1;         // GenerationRequest::kBase or an attached index
    int64_t topAlternatives = 0;  // per id
};

// Scores `continuation` after `prompt`. With an empty prompt the first id cannot be scored and is left out. An
// encoder-decoder reads the prompt with its encoder and scores every id of the continuation.
// Throws InvalidArgument if the ids exceed the model's positions, or there is no prompt for the encoder.
SequenceScore scoreContinuation(const kernels::Context& context, core::LanguageModel& model,
                                std::span<const core::TokenId> prompt, std::span<const core::TokenId> continuation,
                                const ScoreOptions& options);

// Logits [V] after the last id of a prompt; of the first decoder step of an encoder-decoder.
std::vector<float> lastLogits(const kernels::Context& context, core::LanguageModel& model,
                              std::span<const core::TokenId> prompt, int32_t adapter);

struct TextScore {
    double meanNll = 0;  // nats per scored token
    double perplexity = 0;
    int64_t tokens = 0;  // scored
};

// Scores running text in windows of at most `window` tokens that overlap by one, so that every id but the first of the
// text is predicted once. Throws Unsupported for an encoder-decoder, which has no text of its own to continue.
TextScore scoreText(const kernels::Context& context, core::LanguageModel& model, std::span<const core::TokenId> ids,
                    int64_t window, int32_t adapter);

}  // namespace wb::inference
