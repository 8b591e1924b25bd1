// SPDX-License-Identifier: Apache-2.0
#include "inference/generation_session.h"
#include "inference/scoring.h"
#include "tests/core/model/tiny_model.h"
#include "tests/inference/letter_tokenizer.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace wb::inference {
namespace {

using core::TokenId;

constexpr int64_t kVocabulary = 12;

class BeamDecodingTest : public testing::Test {
protected:
    GenerationRequest ask(int64_t beams, int64_t newTokens) const {
        GenerationRequest request;
        request.promptIds = test::someIds(6, kVocabulary, 4);
        request.options.maxNewTokens = newTokens;
        request.options.numBeams = beams;
        request.options.numReturn = beams;
        return request;
    }
    std::vector<GenerationOutput> generate(const GenerationRequest& request) {
        GenerationSession session(m_device, *m_model, m_tokenizer, {request});
        session.run();
        return session.result(0).outputs;
    }
    double sumOf(const std::vector<TokenId>& prompt, const std::vector<TokenId>& continuation) {
        const SequenceScore score = scoreContinuation(m_device, *m_model, prompt, continuation, {});
        return std::accumulate(score.logprobs.begin(), score.logprobs.end(), 0.0);
    }

    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_device = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model = test::tinyModel(m_device, DType::F32, {.vocabulary = kVocabulary});
    test::LetterTokenizer m_tokenizer{kVocabulary};
};

TEST_F(BeamDecodingTest, withAsManyBeamsAsSequencesFindsTheBestOfAll) {
    // 12^2 sequences of two tokens; 12 beams keep every first token, so the search is exhaustive.
    const GenerationRequest request = ask(12, 2);
    const std::vector<GenerationOutput> outputs = generate(request);
    std::vector<std::pair<double, std::vector<TokenId>>> all;
    for (TokenId a = 0; a < kVocabulary; ++a) {
        for (TokenId b = 0; b < kVocabulary; ++b) all.push_back({sumOf(request.promptIds, {a, b}), {a, b}});
    }
    std::ranges::sort(all, std::ranges::greater{});
    ASSERT_EQ(outputs.size(), 12U);
    for (size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_EQ(outputs[i].ids, all[i].second) << "rank " << i;
        EXPECT_NEAR(outputs[i].score, all[i].first / 2, 1e-5);
    }
}

TEST_F(BeamDecodingTest, scoresAreTheModelsOwnAndSorted) {
    const GenerationRequest request = ask(5, 9);
    const std::vector<GenerationOutput> outputs = generate(request);
    ASSERT_EQ(outputs.size(), 5U);
    for (size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_NEAR(outputs[i].score * 9, sumOf(request.promptIds, outputs[i].ids), 1e-4);
        EXPECT_NEAR(std::accumulate(outputs[i].logprobs.begin(), outputs[i].logprobs.end(), 0.0), outputs[i].score * 9,
                    1e-5);
        if (i > 0) {
            EXPECT_LE(outputs[i].score, outputs[i - 1].score);
        }
    }
}

TEST_F(BeamDecodingTest, endedHypothesesCountTheEndTokenInTheirLength) {
    GenerationRequest request = ask(4, 8);
    for (TokenId id = 0; id < kVocabulary; id += 3) request.options.eosIds.push_back(id);
    for (const GenerationOutput& output : generate(request)) {
        const bool endsWithEos =
            std::ranges::find(request.options.eosIds, output.ids.back()) != request.options.eosIds.end();
        EXPECT_EQ(output.reason, endsWithEos ? FinishReason::Stop : FinishReason::Length);
        EXPECT_NEAR(output.score, sumOf(request.promptIds, output.ids) / static_cast<double>(output.ids.size()), 1e-5);
        EXPECT_EQ(std::ranges::count_if(output.ids,
                                        [&](TokenId id) {
                                            return std::ranges::find(request.options.eosIds, id) !=
                                                   request.options.eosIds.end();
                                        }),
                  endsWithEos ? 1 : 0)
            << "nothing follows an end token";
    }
}

TEST_F(BeamDecodingTest, lengthPenaltyPrefersLongerOrShorter) {
    GenerationRequest request = ask(6, 12);
    request.options.eosIds = {1, 4, 7};
    request.options.numReturn = 1;
    request.options.lengthPenalty = -2;
    const size_t shorter = generate(request).front().ids.size();
    request.options.lengthPenalty = 5;
    const size_t longer = generate(request).front().ids.size();
    EXPECT_LT(shorter, longer);
}

TEST_F(BeamDecodingTest, givesTheCacheBackWhateverHappens) {
    const int64_t before = m_runtime.allocator().stats().liveBytes;
    GenerationRequest request = ask(4, 20);
    {
        GenerationSession session(m_device, *m_model, m_tokenizer, {request});
        for (int i = 0; i < 5; ++i) session.step();
        session.cancel(0);
        EXPECT_EQ(session.result(0).outputs.front().reason, FinishReason::Cancelled);
    }
    EXPECT_EQ(m_runtime.allocator().stats().liveBytes, before);
}

}  // namespace
}  // namespace wb::inference
