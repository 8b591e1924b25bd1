// SPDX-License-Identifier: Apache-2.0
#include "training/trainer.h"

#include "core/run/version.h"
#include "kernels/base/error.h"
#include "kernels/runtime/plugin_loader.h"
#include "training/checkpoint_certificate.h"
#include "training/run_reporter.h"
#include "training/sample_prompts.h"
#include "training/steps.h"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <thread>

namespace wb::training {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPausePoll = std::chrono::milliseconds(100);
constexpr auto kDiskRetry = std::chrono::seconds(5);
// A step whose loss or gradient is not finite is skipped; so many in a row end the run.
constexpr int kMaxSkippedSteps = 5;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

class Trainer::Session {
public:
    Session(kernels::Runtime& runtime, TrainingSetup setup, core::RunFolder run, const std::atomic<bool>& stop,
            std::function<void(const core::Event&)> onEvent)
        : m_runtime(runtime),
          m_setup(std::move(setup)),
          m_run(std::move(run)),
          m_stop(stop),
          m_report(m_run, runtime, std::move(onEvent)),
          m_tuning(runtime.context(), m_setup.config, m_setup.source ? &*m_setup.source : nullptr, m_setup.recipe),
          m_steps(m_tuning) {}

    TrainOutcome run() {
        try {
            return runUnguarded();
        } catch (const Error& error) {
            m_report.write(core::ErrorRaised{errorCodeName(error.code()), error.what(), hintFor(error.code())});
            throw;
        }
    }

private:
    struct UnderWay {
        int64_t step;
        double learningRate;
        Clock::time_point start;
        bool isProfiled;
    };

    static std::string hintFor(ErrorCode code) {
        if (code == ErrorCode::OutOfMemory) return "Lower micro_batch_tokens or max_length, or choose method lora.";
        return "Resume the run once the cause is gone: it continues from its last checkpoint.";
    }

    TrainOutcome runUnguarded() {
        const auto start = Clock::now();
        m_runtime.profiler().setEnabled(!worksBehind());
        restore();
        m_report.started(m_setup, m_tuning, m_resumedFrom);
        m_report.planned(planMemory(m_setup, m_runtime.context().device, m_runtime.context().numThreads, heldBytes()));
        if (m_state.step == 0 && !m_hasStepped) evaluateNow();

        std::string reason = "completed";
        while (m_state.step < m_setup.totalSteps) {
            if (isEarlyStop()) {
                reason = "early_stopped";
                break;
            }
            if (isStopWanted()) {
                reason = "stopped";
                break;
            }
            trainStep();
        }
        settleSteps();
        if (m_state.step > m_savedStep) checkpointNow();
        return finish(reason, secondsSince(start));
    }

    int64_t heldBytes() const { return worksBehind() ? kernels::heldDeviceMemory(m_runtime.context()) : 0; }

    void restore() {
        const std::vector<core::Event> past = core::readEvents(m_run.eventsPath());
        requireSameModel(past);
        core::removeUnfinished(m_run.checkpointsPath());
        const core::NewestCheckpoint newest = core::findNewestCheckpoint(m_run.checkpointsPath());
        for (const std::string& problem : newest.refused) {
            m_report.write(core::WarningRaised{
                problem, newest.checkpoint
                             ? "An older checkpoint is used instead."
                             : "There is no older checkpoint: the run starts again from its first step."});
        }
        if (newest.checkpoint) {
            m_state = loadCheckpoint(newest.checkpoint->path, m_tuning);
            m_savedStep = m_state.step;
            if (m_state.dataHash != m_setup.data.prepared.contentHash) {
                throw Error{ErrorCode::InvalidArgument,
                            "the data of this run has changed since its last checkpoint; put the old file back or "
                            "start a new run"};
            }
        }
        // A run that was interrupted before its first checkpoint repeats from the start and says so.
        if (newest.checkpoint || !past.empty()) m_resumedFrom = m_state.step;
        m_hasStepped = std::ranges::any_of(
            past, [](const core::Event& event) { return std::holds_alternative<core::StepDone>(event.body); });
        m_state.dataHash = m_setup.data.prepared.contentHash;
    }

    // Steps on other base weights would look like a continuation and be none.
    void requireSameModel(const std::vector<core::Event>& past) const {
        for (const core::Event& event : past) {
            const auto* started = std::get_if<core::RunStarted>(&event.body);
            if (started == nullptr) continue;
            if (started->modelHash == (m_setup.source ? m_setup.source->weightHash() : std::string())) return;
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("the model of this run has changed since it started: {} no longer holds the "
                                    "weights {:.12}; put them back or start a new run",
                                    m_setup.modelPath.string(), started->modelHash)};
        }
    }

    const BatchPlan& epochPlan(int64_t epoch) {
        if (!m_plan || m_planEpoch != epoch) {
            m_plan = planEpoch(m_setup.data.prepared.train, m_setup.packing, epoch);
            m_planEpoch = epoch;
        }
        return *m_plan;
    }

    // A device that works behind the host gets the next step before the last one is asked for, so that it never waits.
    // Whatever looks at the weights or ends the run first settles all steps.
    void trainStep() {
        startStep();
        const int64_t step = m_state.step;
        const bool endsEpoch = m_state.cursor.step == 0;
        const bool evaluates = endsEpoch || step == m_setup.totalSteps || isDue(m_setup.recipe.evalEvery);
        const bool saves = endsEpoch || isDue(m_setup.recipe.checkpointEvery);
        const bool mayRun = worksBehind() && !evaluates && !saves;
        while (m_underWay.size() > (mayRun ? 1U : 0U)) settleStep();

        if (evaluates) evaluateNow();
        if (saves) checkpointNow();
        if (m_underWay.empty() || !m_underWay.back().isProfiled) m_report.kernels(step);
    }

    bool worksBehind() const { return m_runtime.context().device.type == DeviceType::Cuda; }

    void startStep() {
        const StepPlan& plan = epochPlan(m_state.cursor.epoch).steps[static_cast<size_t>(m_state.cursor.step)];
        const int64_t step = m_state.step + 1;
        const double learningRate = learningRateAt(m_setup.schedule, step);
        const bool isProfiled = m_report.takesProfile();
        m_runtime.profiler().setEnabled(isProfiled);
        m_underWay.push_back({step, learningRate, Clock::now(), isProfiled});
        m_steps.start(m_setup.data.prepared.train, plan,
                      {.learningRate = static_cast<float>(learningRate),
                       .step = step,
                       .dropoutSeed = static_cast<uint64_t>(m_setup.recipe.seed) + 1});
        m_runtime.profiler().setEnabled(!worksBehind());
        m_state.step = step;
        m_state.cursor = advance(m_state.cursor, m_setup.stepsPerEpoch);
    }

    // Reports the oldest step under way. Its time is counted from the end of the one before.
    void settleStep() {
        const UnderWay step = m_underWay.front();
        m_underWay.pop_front();
        const StepResult result = m_steps.finish();
        const auto now = Clock::now();
        const double seconds = std::chrono::duration<double>(now - std::max(step.start, m_settled)).count();
        m_settled = now;
        m_state.trainSeconds += seconds;
        m_state.trainTokens += result.tokens;
        m_report.step(step.step, epochOf(step.step), result, step.learningRate, seconds);
        if (step.isProfiled) m_report.profiled(seconds);
        checkFinite(step.step, result);
    }

    void settleSteps() {
        while (!m_underWay.empty()) settleStep();
    }

    bool isDue(int64_t every) const { return every > 0 && m_state.step % every == 0; }
    double epochOf(int64_t step) const {
        return static_cast<double>(step) / static_cast<double>(m_setup.stepsPerEpoch);
    }

    void checkFinite(int64_t step, const StepResult& result) {
        m_skippedSteps = result.wasApplied ? 0 : m_skippedSteps + 1;
        if (result.wasApplied) return;
        m_report.write(core::WarningRaised{
            fmt::format("step {}: loss {} with gradient norm {}; the step was left out, the weights are unchanged",
                        step, result.loss, result.gradNorm),
            "A lower learning_rate usually helps."});
        if (m_skippedSteps < kMaxSkippedSteps) return;
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("{} steps in a row had no finite loss; lower learning_rate (now {:g}) and resume or start anew",
                        m_skippedSteps, m_setup.schedule.peak)};
    }

    void evaluateNow() {
        const SequenceSet& validation = m_setup.data.prepared.validation;
        const auto isStopping = [this] { return m_stop.load(); };
        if (validation.size() > 0) {
            const auto start = Clock::now();
            const EvaluationResult result = evaluate(m_tuning.model(), m_runtime.context(), m_tuning.adapterIndex(),
                                                     validation, m_setup.packing.maxTokens);
            // The untrained model is the mark to beat, not a candidate for the best step.
            const bool isBest = m_state.step > 0 && noteResult(result.loss);
            m_report.evaluated(m_state.step, epochOf(m_state.step), result, secondsSince(start), isBest);
            if (isBest && m_setup.recipe.keepBest) checkpointNow();
        }
        const std::vector<GeneratedSample> samples = generateSamples(m_tuning, m_setup, isStopping);
        for (size_t i = 0; i < samples.size(); ++i) m_report.sample(m_state.step, i, samples[i]);
    }

    // Keeps count for early stopping.
    bool noteResult(float loss) {
        const bool isGain = !m_state.bestStep || loss < m_state.bestLoss;
        if (isGain && std::isfinite(loss)) {
            m_state.bestStep = m_state.step;
            m_state.bestLoss = loss;
            m_state.evaluationsWithoutGain = 0;
            return true;
        }
        ++m_state.evaluationsWithoutGain;
        return false;
    }

    bool isEarlyStop() const {
        return m_setup.recipe.earlyStopping > 0 && m_state.evaluationsWithoutGain >= m_setup.recipe.earlyStopping;
    }

    void saveNow() {
        m_state.peakBytes = std::max(m_state.peakBytes, m_runtime.allocator().stats().peakBytes);
        m_report.sync();
        const core::CheckpointInfo info = saveCheckpoint(m_run, m_setup, m_tuning, m_state);
        m_savedStep = m_state.step;
        m_report.write(core::CheckpointSaved{m_state.step, "checkpoints/" + info.path.filename().string(),
                                             m_state.bestStep == m_state.step});
        const std::optional<int64_t> kept = m_setup.recipe.keepBest ? m_state.bestStep : std::nullopt;
        core::pruneCheckpoints(m_run.checkpointsPath(), static_cast<size_t>(m_setup.recipe.keepCheckpoints), kept);
    }

    // A disk that is full pauses the run instead of ending it: the checkpoint is tried again until it succeeds.
    void checkpointNow() {
        if (m_savedStep == m_state.step) return;
        bool isWaiting = false;
        while (true) {
            try {
                saveNow();
                if (isWaiting) m_report.write(core::StateChanged{"running", ""});
                return;
            } catch (const Error& error) {
                if (error.code() != ErrorCode::Io || m_stop.load()) throw;
                if (!isWaiting) {
                    m_report.tryWrite(
                        core::WarningRaised{error.what(), "Make room on the disk; the run waits and tries again."});
                    m_report.tryWrite(core::StateChanged{"paused", "the checkpoint could not be written"});
                }
                isWaiting = true;
                std::this_thread::sleep_for(kDiskRetry);
            }
        }
    }

    // Polls requests between steps; waits out a pause. True if the run is to stop.
    bool isStopWanted() {
        if (m_stop.load()) return true;
        const core::RunControl control = m_run.control();
        if (control == core::RunControl::Stop) return true;
        if (control == core::RunControl::Pause) return !waitWhilePaused();
        return false;
    }

    // False if the pause ended with a stop.
    bool waitWhilePaused() {
        settleSteps();
        m_report.write(core::StateChanged{"paused", "on request"});
        while (true) {
            if (m_stop.load() || m_run.control() == core::RunControl::Stop) return false;
            if (m_run.control() != core::RunControl::Pause) break;
            std::this_thread::sleep_for(kPausePoll);
        }
        m_report.write(core::StateChanged{"running", ""});
        return true;
    }

    TrainOutcome finish(const std::string& reason, double seconds) {
        m_run.clearControl();
        TrainOutcome outcome{
            .steps = m_state.step,
            .bestStep = m_state.bestStep,
            .bestLoss = m_state.bestLoss,
            .reason = reason,
            .weightHash = m_tuning.weightHash(),
            .peakBytes = std::max(m_state.peakBytes, m_runtime.allocator().stats().peakBytes),
            .tokensPerSecond = static_cast<double>(m_state.trainTokens) / std::max(m_state.trainSeconds, 1e-9),
            .seconds = seconds};
        if (m_savedStep > 0) {
            outcome.certificate =
                certifyCheckpoint(m_tuning, m_setup, m_run.checkpointsPath() / core::checkpointName(m_savedStep));
        }
        m_report.finished(outcome);
        return outcome;
    }

    kernels::Runtime& m_runtime;
    TrainingSetup m_setup;
    core::RunFolder m_run;
    const std::atomic<bool>& m_stop;
    RunReporter m_report;
    TuningModel m_tuning;
    StepQueue m_steps;
    std::deque<UnderWay> m_underWay;  // the steps that m_steps has not finished
    Clock::time_point m_settled{};    // when the last result came
    TrainingState m_state;            // after the last step under way
    std::optional<int64_t> m_resumedFrom;
    bool m_hasStepped = false;  // in this sitting or one before: the untrained model has been evaluated
    int64_t m_savedStep = 0;
    int m_skippedSteps = 0;
    std::optional<BatchPlan> m_plan;
    int64_t m_planEpoch = -1;
};

Trainer::Trainer(kernels::Runtime& runtime, TrainingSetup setup, core::RunFolder run, const std::atomic<bool>& stop,
                 std::function<void(const core::Event&)> onEvent)
    : m_session(std::make_unique<Session>(runtime, std::move(setup), std::move(run), stop, std::move(onEvent))) {}

Trainer::~Trainer() = default;

TrainOutcome Trainer::run() {
    return m_session->run();
}

}  // namespace wb::training
