// SPDX-License-Identifier: Apache-2.0
// A run that was interrupted and resumed computes what it would have computed alone, to the bit.
#include "core/run/atomic_file.h"
#include "core/run/checkpoint_folder.h"
#include "tests/training/training_fixture.h"

#include <algorithm>

namespace wb::training {
namespace {

namespace fs = std::filesystem;
using test::CrashForTest;
using test::recordOf;
using test::RunRecord;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kKeep = core::ActivationCheckpointing::None;
constexpr auto kCheap = core::ActivationCheckpointing::Selective;
constexpr auto kBlocks = core::ActivationCheckpointing::Full;

struct ResumeCase {
    const char* name;
    core::TuneMethod method;
    DType dtype;
    core::ActivationCheckpointing checkpointing = core::ActivationCheckpointing::None;
    bool trainsMore = false;  // magnitudes, biases and the head beside the adapter
    core::BaseWeights base = core::BaseWeights::AsComputed;
};

class ResumeTest : public testing::TestWithParam<ResumeCase> {
protected:
    core::Recipe recipe() const {
        core::Recipe recipe = GetParam().method == core::TuneMethod::Lora ? m_bench.loraRecipe() : m_bench.recipe();
        recipe.dtype = GetParam().dtype;
        recipe.activationCheckpointing = GetParam().checkpointing;
        recipe.evalEvery = 5;
        recipe.checkpointEvery = 3;
        recipe.weightDecay = 0.01;
        recipe.baseDtype = GetParam().base;
        if (GetParam().trainsMore) {
            recipe.useDora = true;
            recipe.loraBias = core::LoraBias::All;
            recipe.modulesToSave = "lm_head,norm";
        }
        return recipe;
    }
    void crash(const core::RunFolder& run, int64_t step) const {
        EXPECT_THROW(m_bench.train(run, {.crashAfterStep = step}), CrashForTest);
    }
    test::TrainingBench m_bench;
};

INSTANTIATE_TEST_SUITE_P(Methods, ResumeTest,
                         testing::Values(ResumeCase{"full", core::TuneMethod::Full, DType::F32},
                                         ResumeCase{"lora", core::TuneMethod::Lora, DType::F32},
                                         ResumeCase{"doraAndMore", core::TuneMethod::Lora, DType::F32, kKeep, true},
                                         ResumeCase{"doraAndMoreBf16", core::TuneMethod::Lora, DType::BF16, kBlocks,
                                                    true},
                                         ResumeCase{"loraOnEightBits", core::TuneMethod::Lora, DType::F32, kKeep, false,
                                                    core::BaseWeights::Q8_0},
                                         ResumeCase{"fullBf16", core::TuneMethod::Full, DType::BF16, kCheap},
                                         ResumeCase{"loraBf16", core::TuneMethod::Lora, DType::BF16, kBlocks}),
                         [](const auto& test) { return test.param.name; });

TEST_P(ResumeTest, stopAndResumeAtAnyStepGivesTheSameBits) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    for (const int64_t stop : {1, 3, 7, 8, 15, 16}) {
        SCOPED_TRACE(stop);
        const core::RunFolder run = m_bench.create(recipe());
        const TrainOutcome stopped = m_bench.train(run, {.stopAfterStep = stop});
        EXPECT_EQ(stopped.reason, stop == 16 ? "completed" : "stopped");
        EXPECT_EQ(stopped.steps, stop) << "the step is finished";
        EXPECT_EQ(recordOf(run).checkpoints.back(), stop) << "and saved";
        EXPECT_EQ(run.state(), stop == 16 ? core::RunState::Finished : core::RunState::Stopped);
        m_bench.train(run);
        test::expectSameComputation(recordOf(reference), recordOf(run));
        EXPECT_EQ(recordOf(run).repeatedSteps(), 0) << "a stop loses nothing";
        EXPECT_EQ(run.state(), core::RunState::Finished);
    }
}

TEST_P(ResumeTest, manyStopsInOneRun) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    const core::RunFolder run = m_bench.create(recipe());
    for (const int64_t stop : {2, 4, 5, 9, 10, 14}) m_bench.train(run, {.stopAfterStep = stop});
    m_bench.train(run);
    test::expectSameComputation(recordOf(reference), recordOf(run));
    // Optimiser state and weights of the last checkpoint, file by file.
    const auto last = core::checkpointName(16);
    for (const char* file : {"optimizer.safetensors", "model.safetensors", "adapter/adapter_model.safetensors"}) {
        EXPECT_EQ(test::readText(run.checkpointsPath() / last / file),
                  test::readText(reference.checkpointsPath() / last / file))
            << file;
    }
}

TEST_P(ResumeTest, aCrashRepeatsStepsWithTheSameBits) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    const core::RunFolder run = m_bench.create(recipe());
    for (const int64_t step : {2, 5, 5, 8, 13}) crash(run, step);
    EXPECT_EQ(run.state(), core::RunState::Interrupted);
    m_bench.train(run);
    const RunRecord record = recordOf(run);
    EXPECT_GT(record.repeatedSteps(), 3);
    test::expectSameComputation(recordOf(reference), record);
}

class DamagedRunTest : public ResumeTest {
protected:
    // A run stopped at step 7, with checkpoints of steps 5 (the best) or 6, and 7.
    core::RunFolder stoppedRun() const {
        const core::RunFolder run = m_bench.create(recipe());
        m_bench.train(run, {.stopAfterStep = 7});
        return run;
    }
    RunRecord reference() const {
        const core::RunFolder run = m_bench.create(recipe());
        m_bench.train(run);
        return recordOf(run);
    }
    static void flip(const fs::path& file) {
        std::string bytes = test::readText(file);
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        test::writeText(file, bytes);
    }
};

INSTANTIATE_TEST_SUITE_P(Methods, DamagedRunTest,
                         testing::Values(ResumeCase{"full", core::TuneMethod::Full, DType::F32},
                                         ResumeCase{"lora", core::TuneMethod::Lora, DType::F32}),
                         [](const auto& test) { return test.param.name; });

TEST_P(DamagedRunTest, aDamagedCheckpointIsNamedAndAnOlderOneUsed) {
    const RunRecord expected = reference();
    const bool isLora = GetParam().method == core::TuneMethod::Lora;
    const std::vector<std::string> files{"optimizer.safetensors", "state.json",
                                         isLora ? "adapter/adapter_model.safetensors" : "model.safetensors",
                                         "manifest.json"};
    for (const std::string& file : files) {
        SCOPED_TRACE(file);
        const core::RunFolder run = stoppedRun();
        flip(run.checkpointsPath() / core::checkpointName(7) / file);
        m_bench.train(run);
        const RunRecord record = recordOf(run);
        ASSERT_FALSE(record.warnings.empty());
        EXPECT_THAT(record.warnings.front(), HasSubstr("step-000007"));
        EXPECT_THAT(record.warnings.front(), HasSubstr("An older checkpoint is used instead."));
        EXPECT_GT(record.repeatedSteps(), 0);
        test::expectSameComputation(expected, record);
    }
}

TEST_P(DamagedRunTest, aCheckpointWithAMissingOrCutFileIsNotUsed) {
    const RunRecord expected = reference();
    const core::RunFolder cut = stoppedRun();
    fs::resize_file(cut.checkpointsPath() / core::checkpointName(7) / "optimizer.safetensors", 100);
    m_bench.train(cut);
    test::expectSameComputation(expected, recordOf(cut));
    EXPECT_EQ(recordOf(cut).warnings.size(), 1U);
    const core::RunFolder lost = stoppedRun();
    fs::remove(lost.checkpointsPath() / core::checkpointName(7) / "state.json");
    m_bench.train(lost);
    test::expectSameComputation(expected, recordOf(lost));
    EXPECT_EQ(recordOf(lost).warnings.size(), 1U);
}

TEST_P(DamagedRunTest, withoutAnyGoodCheckpointTheRunStartsAgainAndSaysSo) {
    const core::RunFolder run = stoppedRun();
    for (const core::CheckpointInfo& info : core::listCheckpoints(run.checkpointsPath()))
        flip(info.path / "state.json");
    m_bench.train(run);
    const RunRecord record = recordOf(run);
    ASSERT_FALSE(record.warnings.empty());
    EXPECT_THAT(record.warnings.back(), HasSubstr("starts again from its first step"));
    EXPECT_EQ(record.repeatedSteps(), 7);
    test::expectSameComputation(reference(), record);
}

TEST_P(DamagedRunTest, leftoversOfACrashDuringACheckpointAreIgnoredAndRemoved) {
    const RunRecord expected = reference();
    const core::RunFolder run = stoppedRun();
    const fs::path half = run.checkpointsPath() / "tmp-step-000009";
    fs::create_directories(half);
    test::writeText(half / "model.safetensors", "half of it");
    m_bench.train(run);
    test::expectSameComputation(expected, recordOf(run));
    EXPECT_FALSE(fs::exists(half));
}

TEST_P(DamagedRunTest, aTornLastLineOfEventsIsNoObstacle) {
    const RunRecord expected = reference();
    const core::RunFolder run = stoppedRun();
    test::appendText(run.eventsPath(), R"({"v": 1, "event": "step", "step": 8, "los)");
    m_bench.train(run);
    test::expectSameComputation(expected, recordOf(run));
}

TEST_P(DamagedRunTest, changedDataIsRefusedUntilItIsBack) {
    const RunRecord expected = reference();
    const core::RunFolder run = stoppedRun();
    const fs::path rows = m_bench.folder() / "rows.jsonl";
    const std::string before = test::readText(rows);
    std::string changed = before;
    changed.replace(changed.find("sailor"), 6, "farmer");
    test::writeText(rows, changed);
    const std::string message = test::errorOf(ErrorCode::InvalidArgument, [&] { m_bench.train(run); });
    EXPECT_THAT(message, HasSubstr("the data of this run has changed since its last checkpoint"));
    EXPECT_EQ(recordOf(run).lossBits.size(), 7U) << "no step ran";
    EXPECT_EQ(run.state(), core::RunState::Failed);
    test::writeText(rows, before);
    m_bench.train(run);
    test::expectSameComputation(expected, recordOf(run));
}

TEST_P(DamagedRunTest, changedBaseWeightsAreRefused) {
    const core::RunFolder run = stoppedRun();
    const fs::path weights = m_bench.modelFolder() / "model.safetensors";
    const std::string before = test::readText(weights);
    std::string changed = before;
    changed[changed.size() - 40] = static_cast<char>(changed[changed.size() - 40] ^ 0x10);
    test::writeText(weights, changed);
    const std::string message = test::errorOf(ErrorCode::InvalidArgument, [&] { m_bench.train(run); });
    EXPECT_THAT(message, HasSubstr("the model of this run has changed since it started"));
    test::writeText(weights, before);
    m_bench.train(run);
    EXPECT_EQ(recordOf(run).finished->reason, "completed");
}

TEST_P(DamagedRunTest, twoProcessesCannotWorkOnOneRun) {
    const core::RunFolder run = stoppedRun();
    const core::RunLock lock(run);
    const std::string message = test::errorOf(ErrorCode::InvalidArgument, [&] { m_bench.train(run); });
    EXPECT_THAT(message, HasSubstr(run.id()));
}

}  // namespace
}  // namespace wb::training
