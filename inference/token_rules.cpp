// SPDX-License-Identifier: Apache-2.0
#include "inference/token_rules.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <limits>

namespace wb::inference {
namespace {

using core::TokenId;
using Ids = std::span<const TokenId>;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

void forbid(std::span<float> scores, Ids ids) {
    for (const TokenId id : ids) {
        if (id >= 0 && static_cast<size_t>(id) < scores.size()) scores[static_cast<size_t>(id)] = kForbidden;
    }
}

bool endsWith(Ids ids, Ids tail) {
    return ids.size() >= tail.size() && std::ranges::equal(ids.last(tail.size()), tail);
}

// Whatever would complete an n-gram of `text` behind `before`.
void forbidNgrams(Ids text, Ids before, int64_t ngram, std::span<float> scores) {
    const auto length = static_cast<size_t>(ngram);
    if (ngram <= 0 || before.size() + 1 < length) return;
    const Ids tail = before.last(length - 1);
    for (size_t begin = 0; begin + length <= text.size(); ++begin) {
        if (std::ranges::equal(text.subspan(begin, length - 1), tail)) {
            forbid(scores, text.subspan(begin + length - 1, 1));
        }
    }
}

void forbidBadWords(const TokenRules& rules, const TokenPlace& place, std::span<float> scores) {
    for (const std::vector<TokenId>& word : rules.badWords) {
        // A lone end token is no word: forbidding it would never let an answer end.
        const bool isEnd = word.size() == 1 && std::ranges::find(place.eosIds, word.front()) != place.eosIds.end();
        if (isEnd || (word.size() > 1 && word.size() > place.before.size())) continue;
        const Ids ids(word);
        if (endsWith(place.before, ids.first(ids.size() - 1))) forbid(scores, ids.last(1));
    }
}

void checkIds(Ids ids, const char* key, const core::ModelConfig& config) {
    for (const TokenId id : ids) {
        if (id >= 0 && id < config.vocabularySize) continue;
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("generation config: '{}' names token {}, the model has 0 to {}", key, id,
                                config.vocabularySize - 1)};
    }
}

void checkIds(const std::optional<TokenId>& id, const char* key, const core::ModelConfig& config) {
    if (id) checkIds(Ids(&*id, 1), key, config);
}

}  // namespace

bool TokenRules::areEmpty() const {
    return !first && !last && minLength <= 0 && minNewTokens <= 0 && noRepeatNgram <= 0 && noRepeatSourceNgram <= 0 &&
           badWords.empty() && suppressed.empty() && suppressedFirst.empty();
}

std::string TokenRules::describe() const {
    std::string text;
    if (first) text += fmt::format(", first token {}", *first);
    if (last) text += fmt::format(", last token {}", *last);
    if (minLength > 0) text += fmt::format(", at least {} tokens", minLength);
    if (minNewTokens > 0) text += fmt::format(", at least {} new tokens", minNewTokens);
    if (noRepeatNgram > 0) text += fmt::format(", no repeated {}-grams", noRepeatNgram);
    if (noRepeatSourceNgram > 0) text += fmt::format(", no {}-grams of the prompt", noRepeatSourceNgram);
    if (!badWords.empty()) text += fmt::format(", {} forbidden words", badWords.size());
    if (const size_t count = suppressed.size() + suppressedFirst.size(); count > 0) {
        text += fmt::format(", {} suppressed tokens", count);
    }
    return text;
}

TokenRules tokenRulesOf(const core::GenerationConfig& generation, const core::ModelConfig& config) {
    if (!generation.unsupported.empty()) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("the model's generation config asks for {}, which is not supported; remove it from "
                                "the file to generate without",
                                fmt::join(generation.unsupported, ", "))};
    }
    TokenRules rules;
    // A decoder-only model's first token is that of its prompt.
    if (config.isEncoderDecoder) rules.first = generation.forcedBosTokenId;
    rules.last = generation.forcedEosTokenId;
    rules.minLength = generation.minLength.value_or(0);
    rules.minNewTokens = generation.minNewTokens.value_or(0);
    rules.noRepeatNgram = generation.noRepeatNgramSize.value_or(0);
    if (config.isEncoderDecoder) rules.noRepeatSourceNgram = generation.encoderNoRepeatNgramSize.value_or(0);
    rules.badWords = generation.badWords;
    rules.suppressed = generation.suppressedTokens;
    rules.suppressedFirst = generation.beginSuppressedTokens;
    checkIds(rules.first, "forced_bos_token_id", config);
    checkIds(rules.last, "forced_eos_token_id", config);
    for (const std::vector<TokenId>& word : rules.badWords) checkIds(word, "bad_words_ids", config);
    checkIds(rules.suppressed, "suppress_tokens", config);
    checkIds(rules.suppressedFirst, "begin_suppress_tokens", config);
    return rules;
}

std::optional<TokenId> forcedToken(const TokenRules& rules, const TokenPlace& place) {
    // The end wins over the beginning where an answer has one place only.
    if (rules.last && place.newTokens + 1 == place.maxNewTokens) return rules.last;
    if (rules.first && place.newTokens == 0) return rules.first;
    return std::nullopt;
}

void forbidTokens(const TokenRules& rules, const TokenPlace& place, std::span<float> scores) {
    forbidNgrams(place.before, place.before, rules.noRepeatNgram, scores);
    forbidNgrams(place.source, place.before, rules.noRepeatSourceNgram, scores);
    forbidBadWords(rules, place, scores);
    const bool isTooShort =
        static_cast<int64_t>(place.before.size()) < rules.minLength || place.newTokens < rules.minNewTokens;
    if (isTooShort) forbid(scores, place.eosIds);
    forbid(scores, rules.suppressed);
    if (place.newTokens == 0) forbid(scores, rules.suppressedFirst);
}

}  // namespace wb::inference
