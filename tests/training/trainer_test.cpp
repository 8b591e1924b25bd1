// SPDX-License-Identifier: Apache-2.0
#include "training/trainer.h"

#include "core/format/model_folder.h"
#include "core/model/model_folder_writer.h"
#include "core/model/weights.h"
#include "core/run/checkpoint_folder.h"
#include "tests/training/training_fixture.h"
#include "training/steps.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace wb::training {
namespace {

using test::recordOf;
using test::RunRecord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TrainerTest : public testing::Test {
protected:
    static float lossAt(const RunRecord& record, int64_t step) {
        return std::bit_cast<float>(record.evaluations.at(step).front());
    }
    test::TrainingBench m_bench;
};

TEST_F(TrainerTest, lossFallsForEveryMethodAndElementType) {
    for (core::Recipe recipe : {m_bench.recipe(), m_bench.loraRecipe()}) {
        for (const DType dtype : {DType::F32, DType::BF16}) {
            recipe.dtype = dtype;
            recipe.epochs = 4;
            const core::RunFolder run = m_bench.create(recipe);
            const TrainOutcome outcome = m_bench.train(run);
            const RunRecord record = recordOf(run);
            EXPECT_EQ(outcome.reason, "completed");
            EXPECT_EQ(outcome.steps, 32);
            ASSERT_EQ(record.evaluations.size(), 5U) << "before the first step and after each epoch";
            // Random frozen weights leave an adapter little to work with.
            const float share = recipe.method == core::TuneMethod::Lora ? 0.95F : 0.8F;
            EXPECT_LT(lossAt(record, 32), share * lossAt(record, 0));
            EXPECT_EQ(outcome.bestLoss, lossAt(record, *outcome.bestStep));
            ASSERT_TRUE(outcome.certificate.has_value());
            EXPECT_TRUE(outcome.certificate->isOk);
            EXPECT_EQ(outcome.certificate->maxLogitError, 0) << "the checkpoint is the model to the bit";
            EXPECT_EQ(run.state(), core::RunState::Finished);
            EXPECT_GT(outcome.tokensPerSecond, 0);
        }
    }
}

TEST_F(TrainerTest, eventsTellTheWholeStory) {
    core::Recipe recipe = m_bench.recipe();
    recipe.evalEvery = 3;
    recipe.checkpointEvery = 5;
    recipe.keepBest = false;
    recipe.keepCheckpoints = 10;
    const core::RunFolder run = m_bench.create(recipe);
    std::vector<core::Event> seen;
    const TrainOutcome outcome = m_bench.train(run, {.onEvent = [&](const core::Event& e) { seen.push_back(e); }});
    const std::vector<core::Event> written = core::readEvents(run.eventsPath());
    ASSERT_EQ(seen.size(), written.size());
    EXPECT_TRUE(std::holds_alternative<core::RunStarted>(written.front().body));
    EXPECT_TRUE(std::holds_alternative<core::PlanMade>(written[1].body));
    EXPECT_TRUE(std::holds_alternative<core::RunFinished>(written.back().body));
    const RunRecord record = recordOf(run);
    EXPECT_EQ(record.lossBits.size(), 16U);
    EXPECT_EQ(record.repeatedSteps(), 0);
    std::vector<int64_t> evaluated;
    for (const auto& [step, bits] : record.evaluations) evaluated.push_back(step);
    EXPECT_THAT(evaluated, ElementsAre(0, 3, 6, 8, 9, 12, 15, 16));
    EXPECT_THAT(record.checkpoints, ElementsAre(5, 8, 10, 15, 16)) << "every five steps and at the end of an epoch";
    EXPECT_EQ(record.samples.size(), 2 * evaluated.size());
    EXPECT_EQ(record.finished->weightHash, outcome.weightHash);
    const auto& started = std::get<core::RunStarted>(written.front().body);
    EXPECT_EQ(started.totalSteps, 16);
    EXPECT_EQ(started.stepsPerEpoch, 8);
    EXPECT_EQ(started.trainRows, 58);
    EXPECT_EQ(started.validationRows, 6);
    EXPECT_EQ(started.parameters, started.trainableParameters);
    EXPECT_EQ(started.modelHash, core::ModelSource::open(m_bench.modelFolder()).weightHash());
}

TEST_F(TrainerTest, sameRecipeSameBits) {
    const core::RunFolder first = m_bench.create(m_bench.loraRecipe());
    const core::RunFolder second = m_bench.create(m_bench.loraRecipe());
    m_bench.train(first);
    m_bench.train(second);
    test::expectSameComputation(recordOf(first), recordOf(second));
    EXPECT_EQ(recordOf(first).samples, recordOf(second).samples);
    core::Recipe other = m_bench.loraRecipe();
    other.seed = 43;
    const core::RunFolder third = m_bench.create(other);
    EXPECT_NE(m_bench.train(third).weightHash, recordOf(first).finished->weightHash);
}

TEST_F(TrainerTest, maxStepsEndsTheRunInTheMiddleOfAnEpoch) {
    core::Recipe recipe = m_bench.recipe();
    recipe.maxSteps = 11;
    const core::RunFolder run = m_bench.create(recipe);
    const TrainOutcome outcome = m_bench.train(run);
    EXPECT_EQ(outcome.steps, 11);
    EXPECT_EQ(outcome.reason, "completed");
    EXPECT_EQ(recordOf(run).evaluations.rbegin()->first, 11) << "the last step is evaluated";
    EXPECT_EQ(recordOf(run).checkpoints.back(), 11) << "and saved";
}

TEST_F(TrainerTest, earlyStoppingCountsEvaluationsWithoutGain) {
    core::Recipe recipe = m_bench.recipe();
    recipe.learningRate = 1e-30;  // too small to change any weight: no evaluation can be better than the first
    recipe.evalEvery = 2;
    recipe.earlyStopping = 3;
    const core::RunFolder run = m_bench.create(recipe);
    const TrainOutcome outcome = m_bench.train(run);
    EXPECT_EQ(outcome.reason, "early_stopped");
    EXPECT_EQ(outcome.bestStep, 2);
    EXPECT_EQ(outcome.steps, 8) << "best at 2, then 4, 6 and 8 without gain";
    EXPECT_EQ(run.state(), core::RunState::Finished);
    // A finished run that is resumed does not go on.
    EXPECT_EQ(m_bench.train(run).steps, 8);

    recipe.earlyStopping = 0;
    const core::RunFolder patient = m_bench.create(recipe);
    EXPECT_EQ(m_bench.train(patient).reason, "completed");
}

TEST_F(TrainerTest, theBestCheckpointIsKeptAndIsTheBest) {
    // Few rows, a high rate and rows of another kind for validation: the loss falls, then rises.
    core::Recipe recipe = m_bench.recipe();
    recipe.data = m_bench.writeRows("few.jsonl", 0, 8).string();
    recipe.validationData = m_bench.writeRows("others.jsonl", 200, 12, "Meet {2}, home of a {1} called {0}").string();
    recipe.learningRate = 0.03;
    recipe.schedule = core::ScheduleKind::Constant;
    recipe.epochs = 24;
    recipe.earlyStopping = 0;
    recipe.keepCheckpoints = 2;
    const core::RunFolder run = m_bench.create(recipe);
    const TrainOutcome outcome = m_bench.train(run);
    const RunRecord record = recordOf(run);
    ASSERT_TRUE(outcome.bestStep.has_value());
    ASSERT_LT(*outcome.bestStep, 22) << "the validation loss must rise in the end for this test";
    for (const auto& [step, bits] : record.evaluations) {
        if (step == 0) continue;
        EXPECT_GE(std::bit_cast<float>(bits.front()), outcome.bestLoss) << step;
    }
    std::vector<int64_t> kept;
    for (const core::CheckpointInfo& info : core::listCheckpoints(run.checkpointsPath())) kept.push_back(info.step);
    EXPECT_THAT(kept, ElementsAre(*outcome.bestStep, 23, 24));

    kernels::Runtime runtime = test::trainingRuntime();
    const TrainingSetup setup = prepareTraining(run.recipe(), 1);
    const auto source = core::ModelSource::open(run.checkpointsPath() / core::checkpointName(*outcome.bestStep));
    core::LanguageModel model(runtime.context(), source.config(), DType::F32);
    core::loadWeights(runtime.context(), model, source);
    const EvaluationResult again =
        evaluate(model, runtime.context(), -1, setup.data.prepared.validation, setup.packing.maxTokens);
    EXPECT_EQ(again.loss, outcome.bestLoss) << "the folder holds the weights that were evaluated";
}

TEST_F(TrainerTest, aModelThatCannotLearnEndsWithAnErrorAndNoBadWeights) {
    // An infinite weight: no step has a finite loss.
    kernels::Runtime runtime = test::trainingRuntime();
    const auto source = core::ModelSource::open(m_bench.modelFolder());
    core::LanguageModel model(runtime.context(), source.config(), DType::F32);
    core::loadWeights(runtime.context(), model, source);
    for (const core::NamedTensor& tensor : core::storedWeights(model)) {
        if (tensor.name != "model.norm.weight") continue;
        std::vector<float> values = core::toFloats(runtime.context(), tensor.tensor);
        values[0] = std::numeric_limits<float>::infinity();
        core::assignFloats(runtime.context(), tensor.tensor, values);
    }
    const auto broken = m_bench.folder() / "broken";
    std::filesystem::create_directories(broken);
    core::writeModelFolder(runtime.context(), model, core::companionFilesOf(m_bench.modelFolder()), broken);

    core::Recipe recipe = m_bench.recipe();
    recipe.model = broken.string();
    const core::RunFolder run = m_bench.create(recipe);
    const std::string message = test::errorOf(ErrorCode::InvalidArgument, [&] { m_bench.train(run); });
    EXPECT_THAT(message, HasSubstr("5 steps in a row had no finite loss; lower learning_rate (now 0.003)"));
    const RunRecord record = recordOf(run);
    EXPECT_EQ(record.lossBits.size(), 5U);
    EXPECT_EQ(record.warnings.size(), 5U);
    EXPECT_THAT(record.warnings.front(), HasSubstr("the step was left out, the weights are unchanged"));
    EXPECT_THAT(record.errors, ElementsAre("invalid_argument"));
    EXPECT_THAT(core::listCheckpoints(run.checkpointsPath()), IsEmpty());
    EXPECT_EQ(run.state(), core::RunState::Failed);
}

TEST_F(TrainerTest, pauseWaitsBetweenStepsAndGoesOn) {
    const core::RunFolder reference = m_bench.create(m_bench.recipe());
    m_bench.train(reference);
    const core::RunFolder run = m_bench.create(m_bench.recipe());
    m_bench.train(run, {.onEvent = [&](const core::Event& event) {
                      if (const auto* step = std::get_if<core::StepDone>(&event.body);
                          step != nullptr && step->step == 3) {
                          run.requestPause();
                      }
                      if (const auto* changed = std::get_if<core::StateChanged>(&event.body);
                          changed != nullptr && changed->state == "paused") {
                          EXPECT_EQ(run.state(), core::RunState::Paused);
                          run.requestResume();
                      }
                  }});
    EXPECT_THAT(recordOf(run).states, ElementsAre("paused", "running"));
    test::expectSameComputation(recordOf(reference), recordOf(run));
    EXPECT_EQ(run.control(), core::RunControl::None) << "no request is left behind";
}

TEST_F(TrainerTest, stopWhilePausedSavesACheckpoint) {
    const core::RunFolder run = m_bench.create(m_bench.recipe());
    std::atomic<bool> stop{false};
    const TrainOutcome outcome = m_bench.train(run, {.onEvent =
                                                         [&](const core::Event& event) {
                                                             if (std::holds_alternative<core::StepDone>(event.body))
                                                                 run.requestPause();
                                                             if (std::holds_alternative<core::StateChanged>(event.body))
                                                                 stop = true;
                                                         },
                                                     .stop = &stop});
    EXPECT_EQ(outcome.reason, "stopped");
    EXPECT_EQ(outcome.steps, 1);
    EXPECT_THAT(recordOf(run).checkpoints, ElementsAre(1));
    EXPECT_EQ(run.state(), core::RunState::Stopped);
}

TEST_F(TrainerTest, trainingFromScratchOnPlainTextLearns) {
    std::string text;
    for (int i = 0; i < 120; ++i) text += "The cat sat on the mat and the dog lay by the door.\n\n";
    test::writeText(m_bench.folder() / "text.txt", text);
    core::Recipe recipe = m_bench.recipe();
    recipe.model.clear();
    recipe.fromConfig = (m_bench.modelFolder() / "config.json").string();
    recipe.objective = core::Objective::Lm;
    recipe.data = (m_bench.folder() / "text.txt").string();
    recipe.templateName = "auto";
    recipe.learningRate = 1e-2;
    recipe.maxLength = 32;
    recipe.batchSize = 4;
    const core::RunFolder run = m_bench.create(recipe);
    const TrainOutcome outcome = m_bench.train(run);
    const RunRecord record = recordOf(run);
    EXPECT_NEAR(lossAt(record, 0), std::log(6144.0F), 0.5F) << "fresh weights know nothing";
    EXPECT_LT(outcome.bestLoss, 0.5F * lossAt(record, 0));
}

}  // namespace
}  // namespace wb::training
