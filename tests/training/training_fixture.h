// SPDX-License-Identifier: Apache-2.0
// A tiny model and tiny data on the disk, and training runs on them.
#pragma once

#include "core/run/events.h"
#include "core/run/recipe.h"
#include "core/run/run_folder.h"
#include "kernels/base/error.h"
#include "kernels/runtime/runtime.h"
#include "tests/support/temporary_folder.h"
#include "training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wb::test {

// One thread.
kernels::Runtime trainingRuntime(Device device = {});

// How one process works on a run.
struct Sitting {
    std::optional<int64_t> stopAfterStep;   // as SIGTERM would
    std::optional<int64_t> crashAfterStep;  // the process is gone right after the step's event
    std::function<void(const core::Event&)> onEvent;
    int64_t failAllocation = 0;  // the n-th one; 0: none
    std::atomic<bool>* stop = nullptr;
    Device device{};
};

// What a run's events say it computed.
struct RunRecord {
    std::map<int64_t, std::vector<uint32_t>> lossBits;  // by step, one for each time it ran
    std::map<int64_t, std::vector<uint32_t>> evaluations;
    std::vector<std::string> samples;
    std::vector<std::string> warnings;
    std::vector<std::string> errors;
    std::vector<std::string> states;
    std::vector<int64_t> checkpoints;
    std::optional<core::RunFinished> finished;  // the last one

    int64_t repeatedSteps() const;
};
RunRecord recordOf(const core::RunFolder& run);

// Every step and evaluation of `record` has the bits of the reference, none is missing, and the weights agree.
void expectSameComputation(const RunRecord& reference, const RunRecord& record);

// Starts or resumes a run. Throws what the trainer throws, CrashForTest at crashAfterStep.
training::TrainOutcome trainRun(const core::RunFolder& run, const Sitting& sitting = {});

// A model folder "model" (two layers, the vocabulary of the bundled model) and data files.
class TrainingBench {
public:
    explicit TrainingBench(int64_t hidden = 32);

    const std::filesystem::path& folder() const { return m_folder.path(); }
    std::filesystem::path modelFolder() const { return m_folder / "model"; }
    // `count` rows of facts and a sentence from the number `first` on; `completion` is a fmt text over name, job, town.
    std::filesystem::path writeRows(const std::string& name, int first, int count,
                                    std::string_view completion = "{} is a {} in {}") const;

    // 64 rows, batch size 8, so 8 steps an epoch with 6 rows of validation; two epochs, one thread, plain template.
    core::Recipe recipe() const;
    core::Recipe loraRecipe() const;

    core::RunFolder create(const core::Recipe& recipe) const;
    training::TrainOutcome train(const core::RunFolder& run, const Sitting& sitting = {}) const {
        return trainRun(run, sitting);
    }

private:
    TemporaryFolder m_folder;
};

struct CrashForTest {};

// Runs `action`; checks that it throws wb::Error with this code and returns its message.
template <class Action>
std::string errorOf(ErrorCode code, Action action) {
    try {
        action();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
}

}  // namespace wb::test
