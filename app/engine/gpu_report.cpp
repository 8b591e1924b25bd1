// SPDX-License-Identifier: Apache-2.0
#include "app/engine/gpu_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/engine/command_context.h"

namespace wb::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPatience = std::chrono::milliseconds(500);

std::string capabilityText(int major, int minor) {
    return fmt::format("{}.{}", major, minor);
}

// One device, whoever knows it: the plugin's word counts, because it is what runs.
Json deviceJson(const std::string& name, int64_t memory, const std::string& compute, const std::string& device,
                const std::string& reason) {
    return {{"name", name},     {"memory_bytes", memory},   {"compute", compute},
            {"device", device}, {"usable", reason.empty()}, {"reason", reason}};
}

Json devicesJson(const GpuReport& report) {
    Json devices = Json::array();
    for (const kernels::PluginDevice& gpu : report.devices) {
        devices.push_back(deviceJson(gpu.name, gpu.memoryBytes,
                                     capabilityText(gpu.computeCapability / 10, gpu.computeCapability % 10),
                                     deviceName(gpu.device), gpu.reason));
    }
    if (!report.devices.empty()) return devices;
    for (const core::GpuInfo& gpu : report.probe.gpus) {
        devices.push_back(deviceJson(gpu.name, gpu.memoryTotal, capabilityText(gpu.computeMajor, gpu.computeMinor), "",
                                     report.plugin.reason));
    }
    return devices;
}

std::string driverText(const GpuReport& report) {
    if (report.now.driver.empty()) return report.probe.driver;
    return report.probe.driver.empty() ? report.now.driver
                                       : fmt::format("{} ({})", report.now.driver, report.probe.driver);
}

std::string nowText(const core::GpuReading& gpu) {
    std::string text;
    const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    if (gpu.utilisation) add(fmt::format("{:.0f} % busy", 100 * *gpu.utilisation));
    if (gpu.memoryUsed && gpu.memoryTotal)
        add(fmt::format("{} of {} used", bytesText(*gpu.memoryUsed), bytesText(*gpu.memoryTotal)));
    if (gpu.powerWatts) add(fmt::format("{:.0f} W", *gpu.powerWatts));
    if (gpu.temperatureCelsius) add(fmt::format("{:.0f} °C", *gpu.temperatureCelsius));
    if (gpu.clockMhz) add(fmt::format("{:.0f} MHz", *gpu.clockMhz));
    return text;
}

Json nowJson(const core::GpuSnapshot& now) {
    // The codec of the event names the fields once.
    const core::Event event = core::makeEvent(core::GpuMeasured{0, now.gpus});
    return Json::parse(core::toJsonLine(event)).at("gpus");
}

}  // namespace

bool GpuReport::isUsable() const {
    return std::ranges::any_of(devices, [](const kernels::PluginDevice& gpu) { return gpu.reason.empty(); });
}

std::string GpuReport::reason() const {
    if (isUsable()) return {};
    // Without a driver the plugin's complaint, if it got so far, is the same one.
    const bool hasLoaded = !plugin.build.empty();
    if (hasLoaded || probe.reason.empty()) return plugin.reason;
    return probe.reason + "; " + plugin.reason;
}

std::vector<std::pair<std::string, std::string>> GpuReport::lines() const {
    std::vector<std::pair<std::string, std::string>> lines;
    for (const Json& gpu : devicesJson(*this)) {
        const std::string why = gpu["reason"];
        lines.emplace_back(
            "GPU", fmt::format("{}, {}, compute {}, {}", gpu["name"].get<std::string>(),
                               bytesText(gpu["memory_bytes"].get<int64_t>()), gpu["compute"].get<std::string>(),
                               why.empty() ? "usable as " + gpu["device"].get<std::string>() : "not usable: " + why));
    }
    if (lines.empty()) lines.emplace_back("GPU", "none: " + reason());
    if (const std::string driver = driverText(*this); !driver.empty()) lines.emplace_back("GPU driver", driver);
    if (!plugin.file.empty()) {
        const std::string built = plugin.build.empty() ? plugin.reason : "built for " + plugin.build;
        lines.emplace_back("GPU plugin", plugin.build.empty() ? built : fmt::format("{}, {}", plugin.file, built));
    } else if (!devices.empty() || !probe.gpus.empty()) {
        lines.emplace_back("GPU plugin", plugin.reason);
    }
    for (const core::GpuReading& gpu : now.gpus) lines.emplace_back("GPU now", gpu.name + ": " + nowText(gpu));
    return lines;
}

Json GpuReport::json() const {
    const Json all = devicesJson(*this);
    return {{"present", !all.empty()},
            {"usable", isUsable()},
            {"reason", reason()},
            {"driver", probe.driver},
            {"driver_version", now.driver},
            {"devices", all},
            {"plugin", {{"file", plugin.file}, {"built_for", plugin.build}, {"reason", plugin.reason}}},
            {"now", nowJson(now)}};
}

GpuReport examineGpus() {
    const core::GpuTelemetry telemetry;  // answers while the others are asked
    GpuReport report;
    report.probe = core::probeGpus();
    report.plugin = kernels::cudaPlugin();
    report.devices = kernels::pluginDevices();
    report.now = telemetry.first(kPatience);
    return report;
}

}  // namespace wb::app
