// SPDX-License-Identifier: Apache-2.0
#include "training/run_reporter.h"

#include "core/run/machine.h"
#include "core/run/version.h"
#include "kernels/base/error.h"
#include "kernels/runtime/plugin_loader.h"
#include "training/trainer.h"

#include <unistd.h>
#include <array>
#include <utility>

namespace wb::training {
namespace {

constexpr auto kKernelsInterval = std::chrono::seconds(1);

bool runsBehind(const kernels::Runtime& runtime) {
    return runtime.context().device.type == DeviceType::Cuda;
}

std::string hostName() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

core::GpuTelemetryOptions telemetryOf(Device device) {
    core::GpuTelemetryOptions options;
    const std::vector<core::GpuInfo> gpus = core::probeGpus().gpus;
    if (std::in_range<size_t>(device.index) && static_cast<size_t>(device.index) < gpus.size()) {
        options.pciAddress = gpus[static_cast<size_t>(device.index)].pciAddress;
        options.device = deviceName(device);
    }
    return options;
}

}  // namespace

core::MemoryByOwner memoryByOwner(const kernels::BytesByOwner& bytes) {
    const auto of = [&bytes](kernels::MemoryOwner owner) { return bytes[static_cast<size_t>(owner)]; };
    return {.weights = of(kernels::MemoryOwner::Weights),
            .gradients = of(kernels::MemoryOwner::Gradients),
            .optimizer = of(kernels::MemoryOwner::Optimizer),
            .activations = of(kernels::MemoryOwner::Activations),
            .kvCache = of(kernels::MemoryOwner::KvCache),
            .workspace = of(kernels::MemoryOwner::Workspace)};
}

std::vector<core::KernelRow> kernelRows(kernels::Profiler& profiler) {
    std::vector<core::KernelRow> rows;
    for (const kernels::KernelSummary& sum : profiler.summary()) {
        rows.push_back({.name = sum.name,
                        .backend = sum.backend,
                        .reason = sum.reason,
                        .model = {},
                        .calls = sum.calls,
                        .seconds = sum.seconds,
                        .flops = sum.flops,
                        .bytes = sum.bytes});
    }
    return rows;
}

RunReporter::RunReporter(const core::RunFolder& run, kernels::Runtime& runtime,
                         std::function<void(const core::Event&)> onEvent)
    : m_runId(run.id()), m_runtime(runtime), m_writer(run.eventsPath()), m_onEvent(std::move(onEvent)) {
    const Device device = runtime.context().device;
    if (device.type == DeviceType::Cuda) m_telemetry.emplace(telemetryOf(device));
}

void RunReporter::write(core::EventBody body) {
    const core::Event event = core::makeEvent(std::move(body));
    m_writer.write(event);
    if (m_onEvent) m_onEvent(event);
}

void RunReporter::tryWrite(core::EventBody body) {
    core::Event event = core::makeEvent(std::move(body));
    try {
        m_writer.write(event);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Io) throw;
    }
    if (m_onEvent) m_onEvent(event);
}

void RunReporter::started(const TrainingSetup& setup, TuningModel& tuning, std::optional<int64_t> resumedFrom) {
    const PreparedData& data = setup.data.prepared;
    core::RunStarted started;
    started.runId = m_runId;
    started.title = core::recipeTitle(setup.recipe);
    started.engineVersion = core::engineVersion();
    started.device = deviceName(m_runtime.context().device);
    started.deviceName = kernels::deviceModel(m_runtime.context().device);
    started.host = hostName();
    started.pid = getpid();
    started.threads = m_runtime.context().numThreads;
    started.modelHash = setup.source ? setup.source->weightHash() : std::string();
    started.dataHash = data.contentHash;
    started.parameters = tuning.parameterCount();
    started.trainableParameters = tuning.trainableCount();
    started.trainRows = static_cast<int64_t>(data.train.size());
    started.validationRows = static_cast<int64_t>(data.validation.size());
    started.totalSteps = setup.totalSteps;
    started.stepsPerEpoch = setup.stepsPerEpoch;
    started.maxLength = data.maxLength;
    started.learningRate = setup.schedule.peak;
    started.resumedFromStep = resumedFrom;
    write(std::move(started));
}

void RunReporter::planned(const MemoryPlan& plan) {
    write(core::PlanMade{plan.peakBytes, plan.availableBytes, plan.fits, memoryByOwner(plan.byOwner)});
}

void RunReporter::step(int64_t step, double epoch, const StepResult& result, double learningRate, double seconds) {
    core::StepDone done;
    done.step = step;
    done.epoch = epoch;
    done.loss = result.loss;
    done.learningRate = learningRate;
    done.gradNorm = result.gradNorm;
    done.tokens = result.tokens;
    done.labelTokens = result.labelTokens;
    done.tokensPerSecond = static_cast<double>(result.tokens) / std::max(seconds, 1e-9);
    done.stepMs = seconds * 1e3;
    done.memory = memoryByOwner(m_runtime.allocator().stats().peakByOwner);
    write(std::move(done));
}

void RunReporter::evaluated(int64_t step, double epoch, const EvaluationResult& result, double seconds, bool isBest) {
    write(core::Evaluated{step, epoch, result.loss, result.tokenAccuracy, result.labelTokens, seconds, isBest});
}

void RunReporter::sample(int64_t step, size_t index, const GeneratedSample& sample) {
    write(
        core::SampleMade{step, static_cast<int64_t>(index), sample.prompt.prompt, sample.text, sample.prompt.expected});
}

bool RunReporter::takesProfile() {
    if (!runsBehind(m_runtime)) return true;
    const auto now = Clock::now();
    const bool isFirst = !m_lastProfile;
    if (!isFirst && now - *m_lastProfile < kKernelsInterval) return false;
    m_lastProfile = isFirst ? now - kKernelsInterval : now;
    return !isFirst;
}

void RunReporter::kernels(int64_t step) {
    const auto now = Clock::now();
    if (now - m_lastKernels < kKernelsInterval) return;
    m_lastKernels = now;
    writeKernels(step);
}

void RunReporter::writeKernels(int64_t step) {
    const double seconds =
        runsBehind(m_runtime) ? m_profiledSeconds : std::chrono::duration<double>(Clock::now() - m_start).count();
    write(core::KernelsReported{step, seconds, kernelRows(m_runtime.profiler())});
    if (!m_telemetry) return;
    core::GpuSnapshot gpu = m_telemetry->latest();
    if (!gpu.gpus.empty()) write(core::GpuMeasured{step, std::move(gpu.gpus)});
}

void RunReporter::finished(const TrainOutcome& outcome) {
    writeKernels(outcome.steps);
    core::RunFinished done;
    done.steps = outcome.steps;
    done.peakBytes = outcome.peakBytes;
    done.weightHash = outcome.weightHash;
    done.reason = outcome.reason;
    done.bestStep = outcome.bestStep;
    if (outcome.bestStep) done.bestLoss = outcome.bestLoss;
    done.tokensPerSecond = outcome.tokensPerSecond;
    done.seconds = outcome.seconds;
    write(std::move(done));
    sync();
}

}  // namespace wb::training
