// SPDX-License-Identifier: Apache-2.0
#include "training/data/packer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "kernels/base/error.h"

namespace wb::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// An example of `length` tokens whose ids tell where they are from; the second half is trained.
void add(SequenceSet& set, int32_t length) {
    std::vector<core::TokenId> ids;
    std::vector<uint8_t> trained;
    const auto number = static_cast<int32_t>(set.size());
    for (int32_t i = 0; i < length; ++i) {
        ids.push_back(1000 * number + i);
        trained.push_back(i > 0 && i >= length / 2 ? 1 : 0);
    }
    set.addExample(ids, trained, 10 * number);
}

SequenceSet makeSet(const std::vector<int32_t>& lengths) {
    SequenceSet set;
    for (const int32_t length : lengths) add(set, length);
    return set;
}

SequenceSet manyLengths(int count) {
    std::vector<int32_t> lengths;
    for (int i = 0; i < count; ++i) lengths.push_back(2 + (i * 37) % 91);
    return makeSet(lengths);
}

TEST(SequenceSet, LabelsAreTheNextIdAndNeverCrossAnExample) {
    SequenceSet set;
    const std::vector<core::TokenId> first{5, 6, 7, 8};
    const std::vector<uint8_t> firstTrained{1, 0, 1, 1};  // entry 0 can never be learnt
    const std::vector<core::TokenId> second{9, 4};
    const std::vector<uint8_t> secondTrained{1, 1};
    set.addExample(first, firstTrained, 0);
    set.addExample(second, secondTrained, 1);
    const std::vector<int32_t> both{0, 1};
    const PackedBatch batch = set.pack(both);
    EXPECT_THAT(batch.ids, ElementsAre(5, 6, 7, 8, 9, 4));
    EXPECT_THAT(batch.labels, ElementsAre(kIgnoredLabel, 7, 8, kIgnoredLabel, 4, kIgnoredLabel));
    EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 3, 0, 1));
    EXPECT_THAT(batch.cuSeqlens, ElementsAre(0, 4, 6));
    EXPECT_THAT(batch.exampleIndices, ElementsAre(0, 1));
    EXPECT_EQ(batch.labelTokens, 3);
    EXPECT_EQ(batch.maxSeqlen, 4);
    EXPECT_EQ(set.labelTokens(0), 2);
    EXPECT_EQ(set.totalLabelTokens(), 3);
}

TEST(SequenceSet, RefusesAnIndexItDoesNotHave) {
    const SequenceSet set = makeSet({3});
    for (const int32_t index : {-1, 1}) EXPECT_THROW(set.pack(std::span(&index, 1)), Error);
}

TEST(SequenceSet, WindowsTrainEveryTokenAndStopAtDocuments) {
    SequenceSet set;
    const std::vector<core::TokenId> ids{10, 11, 12, 20, 21, 22, 23, 24};
    const std::vector<int64_t> starts{0, 3};
    set.addWindows(ids, starts, 5, 0, 2);
    ASSERT_EQ(set.size(), 2U);
    const std::vector<int32_t> both{0, 1};
    const PackedBatch batch = set.pack(both);
    EXPECT_EQ(batch.ids, ids);
    // 12 ends a document; 21 ends the first window but is followed by 22; 24 is the last of all.
    EXPECT_THAT(batch.labels, ElementsAre(11, 12, kIgnoredLabel, 21, 22, 23, 24, kIgnoredLabel));
    EXPECT_THAT(batch.cuSeqlens, ElementsAre(0, 3, 5, 8));
    EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 0, 1, 0, 1, 2));
    EXPECT_THAT(batch.exampleIndices, ElementsAre(0, 0, 1));
    EXPECT_EQ(batch.labelTokens, 6);
    EXPECT_EQ(set.length(0), 5);
    EXPECT_EQ(set.source(1), 1);
}

TEST(Packer, EveryExampleOccursOnceAndNoBudgetIsBroken) {
    const SequenceSet set = manyLengths(101);
    const PackOptions options{.batchSize = 8, .maxTokens = 128, .seed = 7};
    const BatchPlan plan = planEpoch(set, options, 0);
    EXPECT_EQ(static_cast<int64_t>(plan.steps.size()), stepsPerEpoch(set, options));
    std::multiset<int32_t> seen;
    for (size_t s = 0; s < plan.steps.size(); ++s) {
        int64_t labels = 0;
        int64_t examples = 0;
        for (const MicroBatch& batch : plan.steps[s].microBatches) {
            EXPECT_LE(batch.tokens, options.maxTokens);
            const PackedBatch packed = set.pack(batch.examples);
            EXPECT_EQ(static_cast<int64_t>(packed.ids.size()), batch.tokens);
            labels += packed.labelTokens;
            examples += static_cast<int64_t>(batch.examples.size());
            seen.insert(batch.examples.begin(), batch.examples.end());
        }
        EXPECT_EQ(labels, plan.steps[s].labelTokens);
        EXPECT_EQ(examples, plan.steps[s].examples);
        EXPECT_EQ(examples, s + 1 < plan.steps.size() ? 8 : 5);
    }
    EXPECT_EQ(seen.size(), 101U);
    EXPECT_EQ(std::set<int32_t>(seen.begin(), seen.end()).size(), 101U);
}

TEST(Packer, LongestComesFirstAndFillsTheFirstBatchWithRoom) {
    const SequenceSet set = makeSet({4, 9, 3, 6, 5, 3});
    const BatchPlan plan = planEpoch(set, {.batchSize = 6, .maxTokens = 10, .seed = 1}, 0);
    ASSERT_EQ(plan.steps.size(), 1U);
    std::vector<std::vector<int64_t>> lengths;
    for (const MicroBatch& batch : plan.steps[0].microBatches) {
        lengths.emplace_back();
        for (const int32_t example : batch.examples) lengths.back().push_back(set.length(static_cast<size_t>(example)));
    }
    EXPECT_THAT(lengths, ElementsAre(ElementsAre(9), ElementsAre(6, 4), ElementsAre(5, 3), ElementsAre(3)));
    EXPECT_NEAR(plan.fill(10), 30.0 / 40.0, 1e-12);
}

TEST(Packer, PlanDependsOnSeedAndEpochOnly) {
    const SequenceSet set = manyLengths(64);
    const auto orderOf = [&](uint64_t seed, int64_t epoch) {
        std::vector<int32_t> order;
        for (const StepPlan& step : planEpoch(set, {.batchSize = 4, .maxTokens = 100, .seed = seed}, epoch).steps)
            for (const MicroBatch& batch : step.microBatches)
                order.insert(order.end(), batch.examples.begin(), batch.examples.end());
        return order;
    };
    EXPECT_EQ(orderOf(1, 0), orderOf(1, 0));
    EXPECT_NE(orderOf(1, 0), orderOf(1, 1));
    EXPECT_NE(orderOf(1, 0), orderOf(2, 0));
}

TEST(Packer, ExamplesOfAStepDoNotDependOnTheBudget) {
    const SequenceSet set = manyLengths(40);
    const BatchPlan small = planEpoch(set, {.batchSize = 8, .maxTokens = 93, .seed = 3}, 2);
    const BatchPlan large = planEpoch(set, {.batchSize = 8, .maxTokens = 4096, .seed = 3}, 2);
    const auto examplesOf = [](const StepPlan& step) {
        std::set<int32_t> examples;
        for (const MicroBatch& batch : step.microBatches) examples.insert(batch.examples.begin(), batch.examples.end());
        return examples;
    };
    ASSERT_EQ(small.steps.size(), large.steps.size());
    for (size_t s = 0; s < small.steps.size(); ++s) EXPECT_EQ(examplesOf(small.steps[s]), examplesOf(large.steps[s]));
    EXPECT_GT(small.microBatches(), large.microBatches());
}

TEST(Packer, ExampleOverTheBudgetIsRefusedWithNumbers) {
    const SequenceSet set = makeSet({5, 12});
    try {
        planEpoch(set, {.batchSize = 2, .maxTokens = 11, .seed = 0}, 0);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        EXPECT_THAT(error.what(), HasSubstr("12 tokens"));
        EXPECT_THAT(error.what(), HasSubstr("holds 11"));
    }
    EXPECT_THROW(planInOrder(set, 11), Error);
    EXPECT_THROW(planEpoch(set, {.batchSize = 0, .maxTokens = 100, .seed = 0}, 0), Error);
}

TEST(Packer, EvaluationKeepsTheOrder) {
    const SequenceSet set = makeSet({4, 4, 4, 9, 1});
    const BatchPlan plan = planInOrder(set, 10);
    std::vector<std::vector<int32_t>> batches;
    for (const StepPlan& step : plan.steps) batches.push_back(step.microBatches.at(0).examples);
    EXPECT_THAT(batches, ElementsAre(ElementsAre(0, 1), ElementsAre(2), ElementsAre(3, 4)));
    EXPECT_TRUE(planInOrder(SequenceSet{}, 10).steps.empty());
}

TEST(Packer, CursorWrapsToTheNextEpoch) {
    EXPECT_EQ(advance({0, 0}, 2), (DataCursor{0, 1}));
    EXPECT_EQ(advance({0, 1}, 2), (DataCursor{1, 0}));
}

TEST(Packer, HeaviestMicroBatchIsTheMaximumOfTheEpochs) {
    const SequenceSet set = manyLengths(50);
    const PackOptions options{.batchSize = 4, .maxTokens = 150, .seed = 5};
    int64_t heaviest = 0;
    for (int64_t epoch = 0; epoch < 3; ++epoch)
        for (const StepPlan& step : planEpoch(set, options, epoch).steps)
            for (const MicroBatch& batch : step.microBatches) heaviest = std::max(heaviest, batch.tokens);
    const MicroBatch batch = heaviestMicroBatch(set, options, 3);
    EXPECT_EQ(batch.tokens, heaviest);
    EXPECT_EQ(static_cast<int64_t>(set.pack(batch.examples).ids.size()), heaviest);
}

TEST(Packer, ShuffleIsAPermutationWithKnownBits) {
    std::vector<int32_t> order = shuffledOrder(8, 42, 0);
    // Recorded: a changed generator would change every run that is resumed.
    EXPECT_THAT(order, ElementsAre(3, 6, 0, 7, 1, 2, 5, 4));
    std::sort(order.begin(), order.end());
    std::vector<int32_t> expected(8);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
    EXPECT_TRUE(shuffledOrder(0, 1, 1).empty());
}

}  // namespace
}  // namespace wb::training
