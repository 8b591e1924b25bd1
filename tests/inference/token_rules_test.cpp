// SPDX-License-Identifier: Apache-2.0
#include "inference/token_rules.h"

#include "core/format/hf_config.h"
#include "kernels/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cmath>

namespace wb::inference {
namespace {

using core::TokenId;
using Ids = std::vector<TokenId>;

core::ModelConfig someModel() {
    core::ModelConfig config;
    config.isEncoderDecoder = true;
    config.vocabularySize = 10;
    return config;
}

TokenRules rulesOf(const char* json, const core::ModelConfig& config = someModel()) {
    return tokenRulesOf(core::parseGenerationConfig(json, "generation_config.json"), config);
}

// Ids of ten that must not follow.
Ids forbidden(const TokenRules& rules, const Ids& before, int64_t newTokens, const Ids& source = {}) {
    std::vector<float> scores(10, 1.0F);
    const Ids eos{1};
    forbidTokens(rules, {.before = before, .source = source, .newTokens = newTokens, .maxNewTokens = 8, .eosIds = eos},
                 scores);
    Ids ids;
    for (size_t i = 0; i < scores.size(); ++i) {
        if (std::isinf(scores[i])) ids.push_back(static_cast<TokenId>(i));
    }
    return ids;
}

TEST(TokenRules, noConfigMeansNoRules) {
    EXPECT_TRUE(rulesOf("{}").areEmpty());
    EXPECT_TRUE(rulesOf(R"({"num_beams": 4, "diversity_penalty": 0.0, "num_beam_groups": 1, "bad_words_ids": null})")
                    .areEmpty());
    EXPECT_EQ(rulesOf("{}").describe(), "");
}

TEST(TokenRules, repeatedNgramsAreForbidden) {
    const TokenRules rules = rulesOf(R"({"no_repeat_ngram_size": 3})");
    EXPECT_THAT(forbidden(rules, {0, 4, 5, 6, 4, 5}, 5), testing::ElementsAre(6));
    EXPECT_THAT(forbidden(rules, {0, 4, 5, 6, 5, 4}, 5), testing::IsEmpty());
    EXPECT_THAT(forbidden(rules, {0}, 0), testing::IsEmpty());
    EXPECT_THAT(forbidden(rulesOf(R"({"no_repeat_ngram_size": 1})"), {0, 4}, 1), testing::ElementsAre(0, 4));
}

TEST(TokenRules, ngramsOfTheSourceAreForbidden) {
    const TokenRules rules = rulesOf(R"({"encoder_no_repeat_ngram_size": 2})");
    EXPECT_THAT(forbidden(rules, {0, 4}, 1, {4, 7, 4, 8, 5}), testing::ElementsAre(7, 8));
    EXPECT_THAT(forbidden(rules, {0, 4, 9, 4, 9}, 4, {4, 7}), testing::IsEmpty());
}

TEST(TokenRules, anAnswerHasItsLeastLength) {
    EXPECT_THAT(forbidden(rulesOf(R"({"min_length": 3})"), {0, 4}, 1), testing::ElementsAre(1));
    EXPECT_THAT(forbidden(rulesOf(R"({"min_length": 3})"), {0, 4, 5}, 2), testing::IsEmpty()) << "the start counts";
    EXPECT_THAT(forbidden(rulesOf(R"({"min_new_tokens": 3})"), {0, 4, 5}, 2), testing::ElementsAre(1));
}

TEST(TokenRules, badWordsAreNeverCompleted) {
    const TokenRules rules = rulesOf(R"({"bad_words_ids": [[7], [1], [4, 5, 6], [0, 4, 8]]})");
    EXPECT_THAT(forbidden(rules, {0, 4, 5}, 2), testing::ElementsAre(6, 7)) << "but an answer may end";
    EXPECT_THAT(forbidden(rules, {0, 4}, 1), testing::ElementsAre(7)) << "nothing is as long as the word yet";
}

TEST(TokenRules, suppressedTokens) {
    const TokenRules rules = rulesOf(R"({"suppress_tokens": [3], "begin_suppress_tokens": [4, 5]})");
    EXPECT_THAT(forbidden(rules, {0}, 0), testing::ElementsAre(3, 4, 5));
    EXPECT_THAT(forbidden(rules, {0, 2}, 1), testing::ElementsAre(3));
}

TEST(TokenRules, firstAndLastTokenAreForced) {
    const TokenRules rules = rulesOf(R"({"forced_bos_token_id": 7, "forced_eos_token_id": 1})");
    const auto forced = [&](int64_t newTokens, int64_t maxNewTokens) {
        return forcedToken(
            rules, {.before = {}, .source = {}, .newTokens = newTokens, .maxNewTokens = maxNewTokens, .eosIds = {}});
    };
    EXPECT_EQ(forced(0, 8), 7);
    EXPECT_EQ(forced(1, 8), std::nullopt);
    EXPECT_EQ(forced(7, 8), 1);
    EXPECT_EQ(forced(0, 1), 1);
    EXPECT_EQ(rules.describe(), ", first token 7, last token 1");
    core::ModelConfig decoderOnly = someModel();
    decoderOnly.isEncoderDecoder = false;
    EXPECT_EQ(rulesOf(R"({"forced_bos_token_id": 7})", decoderOnly).first, std::nullopt);
}

TEST(TokenRules, whatTheEngineLacksIsRefusedByName) {
    const auto refusal = [](const char* json) -> std::string {
        try {
            rulesOf(json);
        } catch (const Error& error) {
            return error.what();
        }
        return {};
    };
    EXPECT_THAT(refusal(R"({"num_beam_groups": 2, "diversity_penalty": 0.5})"),
                testing::HasSubstr("'num_beam_groups' 2, 'diversity_penalty' 0.5"));
    EXPECT_THAT(refusal(R"({"early_stopping": "never"})"), testing::HasSubstr("'early_stopping' \"never\""));
    EXPECT_THAT(refusal(R"({"forced_bos_token_id": 10})"),
                testing::HasSubstr("'forced_bos_token_id' names token 10, the model has 0 to 9"));
}

}  // namespace
}  // namespace wb::inference
