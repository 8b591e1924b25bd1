// SPDX-License-Identifier: Apache-2.0
// Memory and disk that give out in the middle of a run.
#include "core/run/checkpoint_folder.h"
#include "tests/training/training_fixture.h"

#include <sys/resource.h>
#include <algorithm>
#include <csignal>

namespace wb::training {
namespace {

namespace fs = std::filesystem;
using test::recordOf;
using test::RunRecord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TrainingFaultsTest : public testing::TestWithParam<core::TuneMethod> {
protected:
    core::Recipe recipe() const {
        core::Recipe recipe = GetParam() == core::TuneMethod::Lora ? m_bench.loraRecipe() : m_bench.recipe();
        recipe.maxSteps = 4;
        recipe.checkpointEvery = 2;
        recipe.evalEvery = 2;
        recipe.samplePrompts = 1;
        return recipe;
    }
    // Only whole checkpoints, and nothing half-written.
    static void expectCleanCheckpoints(const core::RunFolder& run) {
        std::error_code absent;
        for (const auto& entry : fs::directory_iterator(run.checkpointsPath(), absent)) {
            EXPECT_THAT(entry.path().filename().string(), testing::StartsWith("step-"));
            EXPECT_NO_THROW(core::verifyCheckpoint(entry.path()));
        }
    }
    test::TrainingBench m_bench;
};

INSTANTIATE_TEST_SUITE_P(Methods, TrainingFaultsTest, testing::Values(core::TuneMethod::Full, core::TuneMethod::Lora),
                         [](const auto& test) {
                             return test.param == core::TuneMethod::Full ? std::string("full") : std::string("lora");
                         });

TEST_P(TrainingFaultsTest, anyAllocationMayFail) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    const RunRecord expected = recordOf(reference);
    // How many there are is found by the first position at which nothing fails any more.
    std::vector<int64_t> positions{1, 2, 3};
    for (int64_t n = 40; n < 1'000'000; n += n / 4) positions.push_back(n);
    int failed = 0;
    for (const int64_t n : positions) {
        SCOPED_TRACE(n);
        const core::RunFolder run = m_bench.create(recipe());
        try {
            m_bench.train(run, {.failAllocation = n});
            test::expectSameComputation(expected, recordOf(run));
            break;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::OutOfMemory) << error.what();
            EXPECT_THAT(error.what(), HasSubstr("out of memory"));
        }
        ++failed;
        expectCleanCheckpoints(run);
        const RunRecord record = recordOf(run);
        if (!record.lossBits.empty()) {
            EXPECT_THAT(record.errors, ElementsAre("out_of_memory"));
        }
        EXPECT_FALSE(record.finished.has_value());
        m_bench.train(run);
        test::expectSameComputation(expected, recordOf(run));
    }
    EXPECT_GT(failed, 15) << "failures in loading, steps, evaluations and samples";
}

TEST_P(TrainingFaultsTest, aCheckpointThatCannotBeWrittenPausesTheRunUntilItCan) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    const core::RunFolder run = m_bench.create(recipe());
    // A file where the folder must be: nobody can write there, root neither.
    fs::remove_all(run.checkpointsPath());
    test::writeText(run.checkpointsPath(), "");
    m_bench.train(run, {.onEvent = [&](const core::Event& event) {
                      const auto* changed = std::get_if<core::StateChanged>(&event.body);
                      if (changed != nullptr && changed->state == "paused") fs::remove(run.checkpointsPath());
                  }});
    const RunRecord record = recordOf(run);
    EXPECT_THAT(record.states, ElementsAre("paused", "running"));
    ASSERT_EQ(record.warnings.size(), 1U);
    EXPECT_THAT(record.warnings.front(), HasSubstr("checkpoints"));
    EXPECT_THAT(record.warnings.front(), HasSubstr("Make room on the disk; the run waits and tries again."));
    EXPECT_THAT(record.checkpoints, ElementsAre(2, 4));
    test::expectSameComputation(recordOf(reference), record);
    expectCleanCheckpoints(run);
}

// Files of this process may grow no further than this while the object lives: a disk that fills up.
class SizeLimit {
public:
    explicit SizeLimit(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit limit{bytes, m_before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    SizeLimit(const SizeLimit&) = delete;
    SizeLimit& operator=(const SizeLimit&) = delete;
    ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &m_before); }

private:
    rlimit m_before{};
};

TEST_P(TrainingFaultsTest, aDiskThatFillsUpInTheMiddleOfACheckpointLeavesNothingHalfWritten) {
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    const core::RunFolder run = m_bench.create(recipe());
    // Between the size of the events and of the largest file of a checkpoint.
    std::unique_ptr<SizeLimit> limit;
    m_bench.train(run, {.onEvent = [&](const core::Event& event) {
                      if (const auto* step = std::get_if<core::StepDone>(&event.body);
                          step != nullptr && step->step == 3) {
                          limit = std::make_unique<SizeLimit>(GetParam() == core::TuneMethod::Full ? 300'000 : 20'000);
                      }
                      const auto* changed = std::get_if<core::StateChanged>(&event.body);
                      if (changed == nullptr || changed->state != "paused") return;
                      EXPECT_NE(limit, nullptr);
                      expectCleanCheckpoints(run);
                      limit.reset();
                  }});
    const RunRecord record = recordOf(run);
    EXPECT_THAT(record.states, ElementsAre("paused", "running"));
    EXPECT_THAT(record.checkpoints, ElementsAre(2, 4));
    test::expectSameComputation(recordOf(reference), record);
    expectCleanCheckpoints(run);
}

TEST_P(TrainingFaultsTest, aStopWhileTheDiskIsFullEndsWithTheReason) {
    const core::RunFolder run = m_bench.create(recipe());
    fs::remove_all(run.checkpointsPath());
    test::writeText(run.checkpointsPath(), "");
    std::atomic<bool> stop{false};
    test::errorOf(ErrorCode::Io, [&] {
        m_bench.train(run, {.onEvent =
                                [&](const core::Event& event) {
                                    if (std::holds_alternative<core::StateChanged>(event.body)) stop = true;
                                },
                            .stop = &stop});
    });
    EXPECT_THAT(recordOf(run).errors, ElementsAre("io"));
    // With room again the run starts over and gives what it would have given.
    fs::remove(run.checkpointsPath());
    const core::RunFolder reference = m_bench.create(recipe());
    m_bench.train(reference);
    m_bench.train(run);
    test::expectSameComputation(recordOf(reference), recordOf(run));
}

TEST_P(TrainingFaultsTest, memoryOverTheLimitIsAnErrorThatSaysWhatToDo) {
    const core::RunFolder run = m_bench.create(recipe());
    kernels::Runtime runtime({.device = {},
                              .numThreads = 1,
                              .attention = kernels::AttentionBackend::Auto,
                              .memoryLimitBytes = int64_t{900'000}});
    const std::atomic<bool> stop{false};
    const std::string message = test::errorOf(ErrorCode::OutOfMemory, [&] {
        Trainer trainer(runtime, prepareTraining(run.recipe(), 1), run, stop);
        trainer.run();
    });
    EXPECT_THAT(message, HasSubstr("limit 900000"));
    EXPECT_EQ(runtime.allocator().stats().liveBytes, 0) << "everything was given back";
}

}  // namespace
}  // namespace wb::training
