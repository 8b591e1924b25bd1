// SPDX-License-Identifier: Apache-2.0
#include "app/engine/run_training.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>

#include "core/library/library.h"
#include "training/setup.h"

namespace wb::app {
namespace {

constexpr auto kStepLogInterval = std::chrono::seconds(1);

std::atomic<bool> g_stop{false};

void onStopSignal(int signal) {
    if (g_stop.exchange(true)) {
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    }
}

// Logs a run for people. Fast steps are thinned out to one line a second; the events file has them all.
class EventLogger {
public:
    void operator()(const core::RunStarted& started) const {
        spdlog::info("{}: {} of {} parameters train, {} rows, {} validation rows, {} steps", started.runId,
                     started.trainableParameters, started.parameters, started.trainRows, started.validationRows,
                     started.totalSteps);
        if (started.resumedFromStep) spdlog::info("resumed from step {}", *started.resumedFromStep);
    }
    void operator()(const core::PlanMade& plan) const {
        spdlog::info("memory plan: {} of {} available", bytesText(plan.peakBytes), bytesText(plan.availableBytes));
    }
    void operator()(const core::StepDone& step) {
        const auto now = std::chrono::steady_clock::now();
        if (now - m_lastStep < kStepLogInterval) return;
        m_lastStep = now;
        spdlog::info("step {} (epoch {:.2f}): loss {:.4f}, learning rate {:.3g}, gradient norm {:.3f}, {:.0f} tok/s",
                     step.step, step.epoch, step.loss, step.learningRate, step.gradNorm, step.tokensPerSecond);
    }
    void operator()(const core::Evaluated& evaluated) const {
        spdlog::info("evaluation at step {}: loss {:.4f}, token accuracy {:.1f} %{}", evaluated.step, evaluated.loss,
                     100 * evaluated.tokenAccuracy, evaluated.isBest ? ", best so far" : "");
    }
    void operator()(const core::CheckpointSaved& saved) const { spdlog::info("saved {}", saved.path); }
    void operator()(const core::StateChanged& changed) const {
        spdlog::info("{}{}{}", changed.state, changed.reason.empty() ? "" : ": ", changed.reason);
    }
    void operator()(const core::WarningRaised& warning) const { spdlog::warn("{} {}", warning.message, warning.hint); }
    template <class Other>
    void operator()(const Other& /*event*/) const {}

private:
    std::chrono::steady_clock::time_point m_lastStep{};
};

void warnAboutSetup(const training::TrainingSetup& setup) {
    const training::DataAudit& audit = setup.data.prepared.audit;
    const auto tell = [](size_t rows, std::string_view what) {
        if (rows > 0) spdlog::warn("{} row{} {}", rows, rows == 1 ? "" : "s", what);
    };
    tell(audit.badLines.size(), "could not be used; `whet data inspect` names them");
    tell(audit.shortenedLines.size(),
         fmt::format("lost the end of their longest input to fit {} tokens", setup.recipe.maxLength));
    tell(audit.truncatedLines.size(), fmt::format("lose part of their answer at {} tokens", setup.recipe.maxLength));
    tell(audit.zeroTargetLines.size(), "teach nothing at this length");
    tell(audit.leaks.size(), "of the training data repeat a validation prompt");
}

// The run folder is the truth and complete without the index, so a library that cannot be written is only a warning.
void indexRun(const core::RunFolder& run, const std::filesystem::path& libraryFolder) {
    try {
        core::Library(libraryFolder).indexRun(run);
    } catch (const Error& error) {
        spdlog::warn("the run is complete, but the library was not updated: {}", error.what());
    }
}

}  // namespace

const std::atomic<bool>& stopRequested() {
    return g_stop;
}

void catchStopSignals() {
    std::signal(SIGTERM, onStopSignal);
    std::signal(SIGINT, onStopSignal);
}

training::TrainOutcome runTraining(kernels::Runtime& runtime, const core::RunFolder& run, training::TrainingSetup setup,
                                   const std::filesystem::path& libraryFolder) {
    const core::RunLock lock(run);
    warnAboutSetup(setup);
    EventLogger logger;
    training::Trainer trainer(runtime, std::move(setup), run, g_stop,
                              [&logger](const core::Event& event) { std::visit(logger, event.body); });
    training::TrainOutcome outcome = trainer.run();
    indexRun(run, libraryFolder);
    return outcome;
}

}  // namespace wb::app
