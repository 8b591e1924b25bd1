// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/export/certificate.h"
#include "core/run/events.h"
#include "core/run/run_folder.h"
#include "kernels/runtime/runtime.h"
#include "training/memory_plan.h"
#include "training/setup.h"
#include "training/training_checkpoint.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace wb::training {

struct TrainOutcome {
    int64_t steps = 0;
    std::optional<int64_t> bestStep;
    float bestLoss = 0;
    std::string reason;  // "completed", "early_stopped" or "stopped"
    std::string weightHash;
    std::optional<adapters::Certificate> certificate;  // of the last checkpoint; absent if it could not be made
    int64_t peakBytes = 0;
    double tokensPerSecond = 0;
    double seconds = 0;
};

// Runs one recipe in one run folder: steps, evaluations, samples, checkpoints, events. Starting on a folder that has
// checkpoints resumes from the newest valid one with the same bits. Engine thread only.
class Trainer {
public:
    // `stop` is polled between steps: true means finish the step, checkpoint, return. `onEvent` sees every event after
    // it was written. The run folder must be locked by the caller.
    Trainer(kernels::Runtime& runtime, TrainingSetup setup, core::RunFolder run, const std::atomic<bool>& stop,
            std::function<void(const core::Event&)> onEvent = {});
    ~Trainer();

    // Throws what a step or a checkpoint throws, after writing an error event.
    TrainOutcome run();

private:
    class Session;
    std::unique_ptr<Session> m_session;
};

}  // namespace wb::training
