// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/run/events.h"

namespace wb::core {

struct GpuTelemetryOptions {
    std::chrono::milliseconds interval{500};
    // One GPU to watch, by its PCI address ("0000:18:00.0") and the name the run gives it ("cuda:0"); without an
    // address all there are, called "gpu 0", "gpu 1".
    std::string pciAddress;
    std::string device;
    std::string library = "libnvidia-ml.so.1";
};

struct GpuSnapshot {
    std::vector<GpuReading> gpus;
    std::string driver;  // "580.159.04"
    std::string reason;  // why `gpus` is empty
    std::chrono::steady_clock::time_point time;
};

// Asks the driver's management library what the GPUs do, on a thread of its own: a library that is absent, or a call
// that never returns, costs nobody a wait. Thread-safe.
class GpuTelemetry {
public:
    explicit GpuTelemetry(GpuTelemetryOptions options = {});
    // Leaves a thread behind that hangs in the driver.
    ~GpuTelemetry();
    GpuTelemetry(const GpuTelemetry&) = delete;
    GpuTelemetry& operator=(const GpuTelemetry&) = delete;

    // The last answer; one older than a few intervals is taken back, with the reason that the driver is silent.
    GpuSnapshot latest() const;
    // The first answer, waited for at most this long.
    GpuSnapshot first(std::chrono::milliseconds timeout) const;

private:
    struct State;
    std::shared_ptr<State> m_state;
};

}  // namespace wb::core
