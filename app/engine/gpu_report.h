// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/run/gpu_telemetry.h"
#include "core/run/machine.h"
#include "kernels/runtime/plugin_loader.h"

namespace wb::app {

// What is known about the GPUs of this machine: by the driver, by the plugin, by the management library.
struct GpuReport {
    core::GpuProbe probe;
    kernels::PluginStatus plugin;
    std::vector<kernels::PluginDevice> devices;  // as the plugin sees them
    core::GpuSnapshot now;

    bool isUsable() const;
    // Exactly why no GPU can be used; empty if one can.
    std::string reason() const;
    // Name and text of the lines of `whet doctor`.
    std::vector<std::pair<std::string, std::string>> lines() const;
    // {"present", "usable", "reason", "driver", "driver_version", "devices", "plugin": {"file", "built_for", "reason"},
    // "now"}.
    nlohmann::ordered_json json() const;
};

// Asks all three; a driver that does not answer is given up after half a second.
GpuReport examineGpus();

}  // namespace wb::app
