// SPDX-License-Identifier: Apache-2.0
// Models with an encoder tune like the others: they learn, resume to the bit, fit their plan, and refuse by name.
#include "core/run/recipe_fields.h"
#include "inference/scoring.h"
#include "tests/training/family_bench.h"
#include "training/memory_plan.h"
#include "training/steps.h"

#include <array>
#include <cmath>

namespace wb::training {
namespace {

using core::ActivationCheckpointing;
using core::TuneMethod;
using testing::HasSubstr;

constexpr std::array kAllCheckpointing{ActivationCheckpointing::None, ActivationCheckpointing::Selective,
                                       ActivationCheckpointing::Full};

class EncoderDecoderTraining : public testing::TestWithParam<std::tuple<std::string, TuneMethod>> {
protected:
    core::Recipe recipe() const { return m_bench.recipe(std::get<TuneMethod>(GetParam())); }

    test::FamilyBench m_bench{std::get<std::string>(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Methods, EncoderDecoderTraining,
                         testing::Combine(testing::Values("t5", "bart", "m2m_100"),
                                          testing::Values(TuneMethod::Full, TuneMethod::Lora)),
                         [](const auto& test) {
                             return std::get<0>(test.param) +
                                    (std::get<1>(test.param) == TuneMethod::Full ? "Full" : "Lora");
                         });

TEST_P(EncoderDecoderTraining, learnsItsRows) {
    core::Recipe learning = recipe();
    learning.epochs = 12;
    learning.learningRate = 1e-2;
    learning.earlyStopping = 0;
    const core::RunFolder run = m_bench.create(learning);
    test::trainRun(run);
    const test::RunRecord record = test::recordOf(run);
    const auto loss = [](const auto& evaluation) { return std::bit_cast<float>(evaluation.second.front()); };
    EXPECT_LT(loss(*record.evaluations.rbegin()), 0.7F * loss(*record.evaluations.begin()));
    EXPECT_FALSE(record.samples.empty());
}

TEST_P(EncoderDecoderTraining, resumesToTheBit) {
    core::Recipe resumed = recipe();
    resumed.epochs = 3;
    resumed.checkpointEvery = 2;
    resumed.loraDropout = 0.2;
    const core::RunFolder reference = m_bench.create(resumed);
    test::trainRun(reference);
    const core::RunFolder run = m_bench.create(resumed);
    EXPECT_THROW(test::trainRun(run, {.crashAfterStep = 5}), test::CrashForTest);
    test::trainRun(run);
    const test::RunRecord record = test::recordOf(run);
    EXPECT_EQ(record.repeatedSteps(), 1) << "the step behind the last checkpoint";
    test::expectSameComputation(test::recordOf(reference), record);
}

TEST_P(EncoderDecoderTraining, plannedPeakIsTheMeasuredOne) {
    for (const auto checkpointing : kAllCheckpointing) {
        core::Recipe planned = recipe();
        planned.microBatchTokens = 96;
        planned.activationCheckpointing = checkpointing;
        const core::RunFolder run = m_bench.create(planned);
        const MemoryPlan plan = planMemory(prepareTraining(planned, 1), Device{}, 1);
        const auto peak = static_cast<double>(test::trainRun(run).peakBytes);
        EXPECT_LE(std::abs(static_cast<double>(plan.peakBytes) - peak), 0.02 * peak) << core::choiceName(checkpointing);
    }
}

TEST_P(EncoderDecoderTraining, recomputingChangesNoBit) {
    std::vector<std::string> hashes;
    std::vector<int64_t> peaks;
    for (const auto checkpointing : kAllCheckpointing) {
        core::Recipe recomputing = recipe();
        recomputing.loraDropout = 0.2;
        recomputing.activationCheckpointing = checkpointing;
        const TrainOutcome outcome = test::trainRun(m_bench.create(recomputing));
        hashes.push_back(outcome.weightHash);
        peaks.push_back(outcome.peakBytes);
    }
    EXPECT_EQ(hashes[1], hashes[0]);
    EXPECT_EQ(hashes[2], hashes[0]);
    EXPECT_LT(peaks[1], peaks[0]);
    EXPECT_LT(peaks[2], peaks[1]);
}

class EncoderDecoderData : public testing::Test {
protected:
    test::FamilyBench m_bench{"t5"};
    core::Recipe m_recipe = m_bench.recipe(TuneMethod::Full);
};

TEST_F(EncoderDecoderData, evaluationIsTheMeanOfScoredAnswers) {
    const TrainingSetup setup = prepareTraining(m_recipe, 1);
    kernels::Runtime runtime = test::trainingRuntime();
    core::LanguageModel model(runtime.context(), setup.config, DType::F32);
    core::loadWeights(runtime.context(), model, *setup.source);
    const SequenceSet& set = setup.data.prepared.validation;
    double sum = 0;
    int64_t tokens = 0;
    for (int32_t i = 0; i < static_cast<int32_t>(set.size()); ++i) {
        const PackedBatch row = set.pack(std::span(&i, 1));
        const inference::SequenceScore score =
            inference::scoreContinuation(runtime.context(), model, row.source.ids, row.labels, {});
        for (const double logprob : score.logprobs) sum -= logprob;
        tokens += static_cast<int64_t>(score.logprobs.size());
    }
    const EvaluationResult result = evaluate(model, runtime.context(), -1, set, 128);
    EXPECT_EQ(result.labelTokens, tokens);
    EXPECT_NEAR(result.loss, sum / static_cast<double>(tokens), 1e-5);
}

TEST_F(EncoderDecoderData, runningTextIsRefusedByName) {
    m_recipe.objective = core::Objective::Lm;
    EXPECT_THAT(test::errorOf(ErrorCode::Unsupported, [&] { prepareTraining(m_recipe, 1); }),
                HasSubstr("objective lm is not supported for encoder-decoders"));
}

TEST_F(EncoderDecoderData, rowsWithoutAPromptAreNamed) {
    test::appendText(m_bench.folder() / "rows.jsonl", "{\"prompt\": \"\", \"completion\": \"Nobody asked.\"}\n");
    EXPECT_THAT(test::errorOf(ErrorCode::InvalidArgument, [&] { prepareTraining(m_recipe, 1); }),
                testing::AllOf(HasSubstr("line 25"), HasSubstr("no prompt for the model's encoder")));
}

TEST_F(EncoderDecoderData, aModelWithoutAPositionLimitTakesAnyLength) {
    m_recipe.maxLength = 4000;
    EXPECT_EQ(prepareTraining(m_recipe, 1).recipe.maxLength, 4000);
    test::FamilyBench limited("bart");
    core::Recipe tooLong = limited.recipe(TuneMethod::Full);
    tooLong.maxLength = 65;
    EXPECT_THAT(test::errorOf(ErrorCode::InvalidArgument, [&] { prepareTraining(tooLong, 1); }),
                HasSubstr("the model takes 64 tokens"));
}

}  // namespace
}  // namespace wb::training
