// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/run/events.h"
#include "core/run/gpu_telemetry.h"
#include "core/run/run_folder.h"
#include "kernels/runtime/runtime.h"
#include "training/memory_plan.h"
#include "training/sample_prompts.h"
#include "training/steps.h"

#include <chrono>
#include <functional>
#include <optional>

namespace wb::training {

struct TrainOutcome;

// Turns what the trainer does into events: appended to the run's file, then shown to the caller. Engine thread only.
class RunReporter {
public:
    RunReporter(const core::RunFolder& run, kernels::Runtime& runtime, std::function<void(const core::Event&)> onEvent);

    void write(core::EventBody body);
    // As write(), but a full disk does not end the run: the caller is told all the same.
    void tryWrite(core::EventBody body);
    void started(const TrainingSetup& setup, TuningModel& tuning, std::optional<int64_t> resumedFrom);
    void planned(const MemoryPlan& plan);
    void step(int64_t step, double epoch, const StepResult& result, double learningRate, double seconds);
    void evaluated(int64_t step, double epoch, const EvaluationResult& result, double seconds, bool isBest);
    void sample(int64_t step, size_t index, const GeneratedSample& sample);
    // Whether the next step is to be timed op by op. The host's clock costs nothing; a device that works behind the
    // host is marked between its kernels, so there it is one step in kKernelsInterval, and not the first.
    bool takesProfile();
    // Seconds of a step that such a device was timed in.
    void profiled(double seconds) { m_profiledSeconds += seconds; }
    // The profile so far and what the GPU of the run does, at most once in kKernelsInterval. Waits for a step that is
    // being timed.
    void kernels(int64_t step);
    void finished(const TrainOutcome& outcome);
    void sync() { m_writer.sync(); }

private:
    using Clock = std::chrono::steady_clock;
    void writeKernels(int64_t step);

    std::string m_runId;
    kernels::Runtime& m_runtime;
    core::EventWriter m_writer;
    std::optional<core::GpuTelemetry> m_telemetry;  // of a run on a GPU
    std::function<void(const core::Event&)> m_onEvent;
    Clock::time_point m_start = Clock::now();
    Clock::time_point m_lastKernels = m_start;
    std::optional<Clock::time_point> m_lastProfile;  // on a device with its own timer; empty before the first step
    double m_profiledSeconds = 0;
};

// Memory by owner as events and JSON name it.
core::MemoryByOwner memoryByOwner(const kernels::BytesByOwner& bytes);
// The profiler's rows as events and the protocol carry them.
std::vector<core::KernelRow> kernelRows(kernels::Profiler& profiler);

}  // namespace wb::training
