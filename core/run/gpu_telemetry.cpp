// SPDX-License-Identifier: Apache-2.0
#include "core/run/gpu_telemetry.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "core/run/nvml.h"

namespace wb::core {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kIntervalsUntilStale = 6;
constexpr auto kPatience = std::chrono::milliseconds(50);  // for the thread's end; a poll takes about a millisecond

}  // namespace

// Shared with the thread, which may outlive the owner.
struct GpuTelemetry::State {
    explicit State(GpuTelemetryOptions o) : options(std::move(o)) {}

    // Body of the thread.
    void poll();
    void publish(GpuSnapshot snapshot);

    const GpuTelemetryOptions options;
    std::mutex mutex;
    std::condition_variable changed;
    GpuSnapshot snapshot;
    bool hasAnswer = false;
    bool isStopping = false;
    bool hasEnded = false;
};

void GpuTelemetry::State::publish(GpuSnapshot next) {
    const std::scoped_lock lock(mutex);
    next.time = Clock::now();
    snapshot = std::move(next);
    hasAnswer = true;
    changed.notify_all();
}

void GpuTelemetry::State::poll() {
    const Nvml nvml(options.library);
    const std::string driver = nvml.reason().empty() ? nvml.driverVersion() : std::string();
    if (!nvml.reason().empty()) publish({.gpus = {}, .driver = {}, .reason = nvml.reason(), .time = {}});
    while (nvml.reason().empty()) {
        GpuSnapshot next{.gpus = {}, .driver = driver, .reason = {}, .time = {}};
        const int count = options.pciAddress.empty() ? nvml.deviceCount() : 1;
        for (int i = 0; i < count; ++i) {
            std::optional<GpuReading> reading = nvml.read(i, options.pciAddress);
            if (!reading) continue;
            reading->device = options.pciAddress.empty() ? fmt::format("gpu {}", i) : options.device;
            next.gpus.push_back(*std::move(reading));
        }
        if (next.gpus.empty()) next.reason = "the NVIDIA driver lists no such GPU";
        publish(std::move(next));
        std::unique_lock lock(mutex);
        if (changed.wait_for(lock, options.interval, [this] { return isStopping; })) break;
    }
    const std::scoped_lock lock(mutex);
    hasEnded = true;
    changed.notify_all();
}

GpuTelemetry::GpuTelemetry(GpuTelemetryOptions options) : m_state(std::make_shared<State>(std::move(options))) {
    std::thread([state = m_state] { state->poll(); }).detach();
}

GpuTelemetry::~GpuTelemetry() {
    std::unique_lock lock(m_state->mutex);
    m_state->isStopping = true;
    m_state->changed.notify_all();
    m_state->changed.wait_for(lock, kPatience, [this] { return m_state->hasEnded; });
}

GpuSnapshot GpuTelemetry::latest() const {
    const std::scoped_lock lock(m_state->mutex);
    GpuSnapshot snapshot = m_state->snapshot;
    const bool isStale = Clock::now() - snapshot.time > kIntervalsUntilStale * m_state->options.interval;
    if (m_state->hasAnswer && !m_state->hasEnded && isStale) {
        snapshot.gpus.clear();
        snapshot.reason = "the NVIDIA driver does not answer";
    }
    return snapshot;
}

GpuSnapshot GpuTelemetry::first(std::chrono::milliseconds timeout) const {
    std::unique_lock lock(m_state->mutex);
    if (m_state->changed.wait_for(lock, timeout, [this] { return m_state->hasAnswer; })) return m_state->snapshot;
    return {.gpus = {}, .driver = {}, .reason = "the NVIDIA driver does not answer", .time = Clock::now()};
}

}  // namespace wb::core
