// SPDX-License-Identifier: Apache-2.0
#include "inference/scoring.h"

#include "tests/core/model/tiny_model.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>

namespace wb::inference {
namespace {

class ScoringTest : public testing::Test {
protected:
    kernels::Runtime m_runtime = test::cpuRuntime();
    const kernels::Context& m_device = m_runtime.context();
    std::unique_ptr<core::LanguageModel> m_model = test::tinyModel(m_device, DType::F32);
    std::vector<int32_t> m_ids = test::someIds(60, 37, 6);

    double logprobAt(size_t index) {
        const std::vector<float> logits = lastLogits(m_device, *m_model, std::span(m_ids).first(index), -1);
        return logits[static_cast<size_t>(m_ids[index])] - logSumExp(logits);
    }
};

TEST_F(ScoringTest, givesEachTokenItsProbabilityAfterWhatPrecedesIt) {
    const SequenceScore score =
        scoreContinuation(m_device, *m_model, std::span(m_ids).first(10), std::span(m_ids).subspan(10, 8), {});
    ASSERT_EQ(score.logprobs.size(), 8U);
    for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(score.logprobs[i], logprobAt(10 + i), 2e-5);
}

TEST_F(ScoringTest, leavesOutAFirstTokenThatNothingPrecedes) {
    EXPECT_EQ(scoreContinuation(m_device, *m_model, {}, std::span(m_ids).first(5), {}).logprobs.size(), 4U);
    EXPECT_TRUE(scoreContinuation(m_device, *m_model, {}, std::span(m_ids).first(1), {}).logprobs.empty());
}

TEST_F(ScoringTest, alternativesBelongToTheirPositions) {
    const SequenceScore score = scoreContinuation(m_device, *m_model, std::span(m_ids).first(3),
                                                  std::span(m_ids).subspan(3, 4), {.topAlternatives = 37});
    ASSERT_EQ(score.top.size(), 4U);
    for (size_t i = 0; i < 4; ++i) {
        const auto found = std::ranges::find(score.top[i], m_ids[3 + i], &TokenAlternative::id);
        ASSERT_NE(found, score.top[i].end());
        EXPECT_NEAR(found->logprob, score.logprobs[i], 2e-5);
    }
}

TEST_F(ScoringTest, windowsPredictEveryTokenButTheFirstOnce) {
    const TextScore one = scoreText(m_device, *m_model, m_ids, 60, -1);
    EXPECT_EQ(one.tokens, 59);
    double sum = 0;
    for (size_t i = 1; i < m_ids.size(); ++i) sum -= logprobAt(i);
    EXPECT_NEAR(one.meanNll, sum / 59, 1e-5);
    EXPECT_NEAR(one.perplexity, std::exp(one.meanNll), 1e-9);
    EXPECT_EQ(scoreText(m_device, *m_model, m_ids, 7, -1).tokens, 59);
}

}  // namespace
}  // namespace wb::inference
