// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "kernels/logits.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wb::inference {

struct SamplerOptions {
    double temperature = 0;        // 0: greedy
    int64_t topK = 0;              // keep the k most likely; 0: all
    double topP = 1;               // keep the smallest set with this probability mass
    double minP = 0;               // drop what is less likely than minP times the most likely
    double repetitionPenalty = 1;  // divides positive, multiplies negative logits of tokens seen (Keskar et al. 2019)
    uint64_t seed = 42;

    // "greedy", "temperature 0.8, top-p 0.95": what a provenance stamp says.
    std::string describe() const;
};

// Chooses the next token from logits [V]. `stream` and `index` number the output and its token: together with the seed
// they decide the draw, so that an output does not depend on what else is generated. Ties go to the lowest id.
core::TokenId sampleToken(std::span<const float> logits, std::span<const core::TokenId> history,
                          const SamplerOptions& options, uint64_t stream, uint64_t index);

using kernels::logSumExp;

struct TokenAlternative {
    core::TokenId id = 0;
    double logprob = 0;
};

// The `count` most likely tokens, best first, lowest id first on ties.
std::vector<TokenAlternative> topAlternatives(std::span<const float> logits, int64_t count);
// The same by scores [V] of which some may be minus infinity; log-probs are scores less `normaliser`.
std::vector<TokenAlternative> topAlternatives(std::span<const float> scores, int64_t count, double normaliser);

}  // namespace wb::inference
