// SPDX-License-Identifier: Apache-2.0
#include "training/memory_plan.h"

#include "tests/training/training_fixture.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::training {
namespace {

struct PlanCase {
    const char* name;
    void (*change)(core::Recipe& recipe);
};

class MemoryPlanTest : public testing::TestWithParam<PlanCase> {
protected:
    core::Recipe recipe() {
        core::Recipe recipe = m_bench.recipe();
        recipe.maxSteps = 9;  // into the second epoch: other micro-batches
        recipe.microBatchTokens = 256;
        // A text for the objective that wants one.
        std::string text;
        for (int i = 0; i < 200; ++i) text += fmt::format("Line {} of a text about nothing in particular.\n", i);
        test::writeText(m_bench.folder() / "text.txt", text);
        // One row far longer than the others.
        std::string rows = test::readText(m_bench.folder() / "rows.jsonl");
        std::string answer = "It is a long story.";
        for (int i = 0; i < 12; ++i) answer += " And it goes on and on.";
        rows += fmt::format("{{\"prompt\": \"tell me\", \"completion\": \"{}\"}}\n", answer);
        test::writeText(m_bench.folder() / "long.jsonl", rows);
        GetParam().change(recipe);
        if (recipe.data == "text") recipe.data = (m_bench.folder() / "text.txt").string();
        if (recipe.data == "long") recipe.data = (m_bench.folder() / "long.jsonl").string();
        return recipe;
    }
    test::TrainingBench m_bench;
};

void asLora(core::Recipe& recipe) {
    recipe.method = core::TuneMethod::Lora;
    recipe.loraRank = 8;
    recipe.loraDropout = 0.1;
}

INSTANTIATE_TEST_SUITE_P(
    Recipes, MemoryPlanTest,
    testing::Values(
        PlanCase{"full", [](core::Recipe&) {}}, PlanCase{"lora", asLora},
        PlanCase{"fullBf16", [](core::Recipe& recipe) { recipe.dtype = DType::BF16; }},
        PlanCase{"dora",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.useDora = true;
                 }},
        PlanCase{"doraAndWholeModules",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.useDora = true;
                     recipe.loraBias = core::LoraBias::All;
                     recipe.modulesToSave = "lm_head,embed_tokens,norm";
                 }},
        PlanCase{"loraOnEightBits",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.baseDtype = core::BaseWeights::Q8_0;
                 }},
        PlanCase{"doraBf16OnFourBits",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.dtype = DType::BF16;
                     recipe.useDora = true;
                     recipe.modulesToSave = "lm_head,embed_tokens";
                     recipe.baseDtype = core::BaseWeights::Q4_0;
                 }},
        PlanCase{"loraBf16Recomputing",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.dtype = DType::BF16;
                     recipe.activationCheckpointing = core::ActivationCheckpointing::Full;
                 }},
        PlanCase{"loraBf16RecomputingSome",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.dtype = DType::BF16;
                     recipe.activationCheckpointing = core::ActivationCheckpointing::Selective;
                 }},
        PlanCase{"fullRecomputing",
                 [](core::Recipe& recipe) { recipe.activationCheckpointing = core::ActivationCheckpointing::Full; }},
        PlanCase{
            "fullRecomputingSome",
            [](core::Recipe& recipe) { recipe.activationCheckpointing = core::ActivationCheckpointing::Selective; }},
        PlanCase{"oneLongRow",
                 [](core::Recipe& recipe) {
                     recipe.data = "long";
                     recipe.maxLength = 150;
                 }},
        PlanCase{"runningText",
                 [](core::Recipe& recipe) {
                     recipe.objective = core::Objective::Lm;
                     recipe.data = "text";
                     recipe.templateName = "auto";
                     recipe.maxLength = 96;
                 }},
        PlanCase{"mathAttention", [](core::Recipe& recipe) { recipe.attention = core::AttentionChoice::Math; }},
        PlanCase{"longSamples",
                 [](core::Recipe& recipe) {
                     asLora(recipe);
                     recipe.samplePrompts = 30;
                     recipe.validationFraction = 0.5;  // rows enough to ask
                     recipe.sampleMaxNewTokens = 120;
                     recipe.microBatchTokens = 16;  // a row each: the cache of the samples is the peak
                     recipe.batchSize = 1;
                 }}),
    [](const auto& test) { return test.param.name; });

TEST_P(MemoryPlanTest, plannedPeakIsTheMeasuredOne) {
    const core::RunFolder run = m_bench.create(recipe());
    const TrainingSetup setup = prepareTraining(run.recipe(), 1);
    kernels::Runtime runtime = test::trainingRuntime();
    const MemoryPlan plan = planMemory(setup, runtime.context().device, 1);
    const TrainOutcome outcome = m_bench.train(run);
    const double error =
        static_cast<double>(plan.peakBytes - outcome.peakBytes) / static_cast<double>(outcome.peakBytes);
    fmt::print("planned {} bytes, measured {} bytes, {:+.3f} %\n", plan.peakBytes, outcome.peakBytes, 100 * error);
    EXPECT_LE(std::abs(error), 0.02);
    int64_t sum = 0;
    for (const int64_t bytes : plan.byOwner) sum += bytes;
    EXPECT_EQ(sum, plan.peakBytes);
}

TEST_P(MemoryPlanTest, planningTakesNoDeviceMemory) {
    const TrainingSetup setup = prepareTraining(recipe(), 1);
    kernels::Runtime runtime = test::trainingRuntime();
    planMemory(setup, runtime.context().device, 1);
    EXPECT_EQ(runtime.allocator().stats().allocations, 0);
}

TEST(MemoryPlan, moreOfEverythingNeedsMore) {
    const test::TrainingBench bench;
    kernels::Runtime runtime = test::trainingRuntime();
    const auto peakOf = [&](const core::Recipe& recipe) {
        return planMemory(prepareTraining(recipe, 1), runtime.context().device, 1).peakBytes;
    };
    const int64_t base = peakOf(bench.recipe());
    EXPECT_LT(peakOf(bench.loraRecipe()), base) << "no gradients and no optimiser state of frozen weights";
    core::Recipe changed = bench.recipe();
    changed.dtype = DType::BF16;
    EXPECT_NE(peakOf(changed), base);
    changed = bench.recipe();
    changed.microBatchTokens = 64;
    EXPECT_LT(peakOf(changed), base) << "smaller micro-batches";
    changed = bench.recipe();
    changed.activationCheckpointing = core::ActivationCheckpointing::Selective;
    const int64_t selective = peakOf(changed);
    EXPECT_LT(selective, base);
    changed.activationCheckpointing = core::ActivationCheckpointing::Full;
    EXPECT_LT(peakOf(changed), selective);
}

TEST(MemoryPlan, whatDoesNotFitIsSaid) {
    const test::TrainingBench bench;
    const TrainingSetup setup = prepareTraining(bench.recipe(), 1);
    const MemoryPlan plan = planMemory(setup, {}, 1);
    EXPECT_TRUE(plan.fits);
    EXPECT_GT(plan.availableBytes, plan.peakBytes);
}

}  // namespace
}  // namespace wb::training
