// SPDX-License-Identifier: Apache-2.0
#include "inference/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cmath>
#include <map>

namespace wb::inference {
namespace {

const std::vector<float> kLogits{0.5F, 2.0F, 2.0F, -1.0F, 1.0F};

std::map<core::TokenId, int> drawMany(const SamplerOptions& options, int draws) {
    std::map<core::TokenId, int> counts;
    for (int i = 0; i < draws; ++i) ++counts[sampleToken(kLogits, {}, options, 0, static_cast<uint64_t>(i))];
    return counts;
}

TEST(Sampler, greedyTakesTheLowestIdAmongEquals) {
    EXPECT_EQ(sampleToken(kLogits, {}, {}, 0, 0), 1);
}

TEST(Sampler, drawsWithTheProbabilitiesOfTheSoftmax) {
    constexpr int kDraws = 20000;
    const auto counts = drawMany({.temperature = 1.5}, kDraws);
    double sum = 0;
    for (const float logit : kLogits) sum += std::exp(logit / 1.5);
    for (size_t id = 0; id < kLogits.size(); ++id) {
        const double expected = std::exp(kLogits[id] / 1.5) / sum;
        // Five standard deviations of a binomial count.
        const double slack = 5 * std::sqrt(expected * (1 - expected) / kDraws);
        EXPECT_NEAR(counts.at(static_cast<core::TokenId>(id)) / static_cast<double>(kDraws), expected, slack);
    }
}

TEST(Sampler, topKKeepsTheBest) {
    const auto counts = drawMany({.temperature = 1, .topK = 2}, 500);
    EXPECT_EQ(counts.size(), 2U);
    EXPECT_TRUE(counts.contains(1) && counts.contains(2));
}

TEST(Sampler, topPKeepsTheSmallestSufficientSet) {
    // Probabilities of the two best are about 0.37 each: 0.5 needs both, 0.3 one.
    EXPECT_EQ(drawMany({.temperature = 1, .topP = 0.5}, 500).size(), 2U);
    EXPECT_EQ(drawMany({.temperature = 1, .topP = 0.3}, 500).size(), 1U);
}

TEST(Sampler, minPDropsWhatIsFarBelowTheBest) {
    // exp(1 - 2) = 0.37, exp(0.5 - 2) = 0.22, exp(-1 - 2) = 0.05 of the best.
    EXPECT_EQ(drawMany({.temperature = 1, .minP = 0.3}, 2000).size(), 3U);
}

TEST(Sampler, repetitionPenaltyMovesSeenTokensTowardsLessLikely) {
    const std::vector<core::TokenId> history{1, 2};
    EXPECT_EQ(sampleToken(kLogits, history, {.repetitionPenalty = 4}, 0, 0), 4);
    const std::vector<float> negative{-1.0F, -1.5F};
    EXPECT_EQ(sampleToken(negative, std::vector<core::TokenId>{0}, {.repetitionPenalty = 2}, 0, 0), 1);
}

TEST(Sampler, drawDependsOnlyOnSeedStreamAndIndex) {
    const SamplerOptions options{.temperature = 2};
    std::vector<core::TokenId> first, again, otherStream, otherSeed;
    for (uint64_t i = 0; i < 50; ++i) {
        first.push_back(sampleToken(kLogits, {}, options, 3, i));
        again.push_back(sampleToken(kLogits, {}, options, 3, i));
        otherStream.push_back(sampleToken(kLogits, {}, options, 4, i));
        otherSeed.push_back(sampleToken(kLogits, {}, {.temperature = 2, .seed = 43}, 3, i));
    }
    EXPECT_EQ(first, again);
    EXPECT_NE(first, otherStream);
    EXPECT_NE(first, otherSeed);
}

TEST(Sampler, alternativesAreSortedLogProbabilities) {
    const auto top = topAlternatives(kLogits, 3);
    ASSERT_EQ(top.size(), 3U);
    EXPECT_EQ(top[0].id, 1);
    EXPECT_EQ(top[1].id, 2);
    EXPECT_EQ(top[2].id, 4);
    EXPECT_NEAR(top[2].logprob, 1.0 - logSumExp(kLogits), 1e-12);
}

TEST(Sampler, describesItselfForProvenance) {
    EXPECT_EQ(SamplerOptions{}.describe(), "greedy");
    EXPECT_EQ((SamplerOptions{.temperature = 0.8, .topP = 0.95}.describe()), "temperature 0.8, top-p 0.95");
}

}  // namespace
}  // namespace wb::inference
