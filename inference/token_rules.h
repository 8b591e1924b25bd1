// SPDX-License-Identifier: Apache-2.0
// Tokens that a model's own generation config forbids or forces at a place of an answer, whatever chooses among the
// others. The rules are those of the transformers library's `generate`, so that the same model gives the same answers.
#pragma once

#include "core/format/model_config.h"
#include "core/text/tokenizer.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace wb::inference {

struct TokenRules {
    std::optional<core::TokenId> first;                // every answer begins with it (a language code, say)
    std::optional<core::TokenId> last;                 // takes the last place of an answer that reaches its limit
    int64_t minLength = 0;                             // no end before the decoder has read and written so many ids
    int64_t minNewTokens = 0;                          // no end before so many new ones
    int64_t noRepeatNgram = 0;                         // no n ids in a row occur twice; 0: they may
    int64_t noRepeatSourceNgram = 0;                   // nor do any of the encoder's input; 0: they may
    std::vector<std::vector<core::TokenId>> badWords;  // sequences that are never completed
    std::vector<core::TokenId> suppressed;
    std::vector<core::TokenId> suppressedFirst;

    bool areEmpty() const;
    // ", no repeated 3-grams, at least 56 tokens": what a provenance stamp adds; empty without rules.
    std::string describe() const;
};

// The rules of a model. Throws Unsupported naming settings of its generation config that would change answers and that
// the engine lacks, InvalidArgument on an id outside the vocabulary.
TokenRules tokenRulesOf(const core::GenerationConfig& generation, const core::ModelConfig& config);

// The place of an answer that is to be filled.
struct TokenPlace {
    std::span<const core::TokenId> before;  // what the decoder has read and written
    std::span<const core::TokenId> source;  // what the encoder read; empty without one
    int64_t newTokens = 0;                  // of `before`
    int64_t maxNewTokens = 0;
    std::span<const core::TokenId> eosIds;
};

// The one token that may stand there, if the rules say so.
std::optional<core::TokenId> forcedToken(const TokenRules& rules, const TokenPlace& place);

// Sets the scores [V] of tokens that must not stand there to minus infinity.
void forbidTokens(const TokenRules& rules, const TokenPlace& place, std::span<float> scores);

}  // namespace wb::inference
