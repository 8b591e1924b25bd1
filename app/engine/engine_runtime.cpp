// SPDX-License-Identifier: Apache-2.0
#include "app/engine/engine_runtime.h"

#include <fmt/format.h>

#include "kernels/attention.h"
#include "kernels/runtime/plugin_loader.h"

namespace wb::app {

Device chooseDevice(std::string_view name) {
    if (!name.empty() && name != "auto") return parseDevice(name);
    const std::vector<kernels::PluginDevice> devices = kernels::acceleratorDevices();
    return devices.empty() ? Device{} : devices.front().device;
}

kernels::Runtime makeRuntime(std::string_view device, int threads, std::string_view attention) {
    return kernels::Runtime({.device = chooseDevice(device),
                             .numThreads = threads,
                             .attention = kernels::parseAttentionBackend(attention),
                             .memoryLimitBytes = std::nullopt});
}

void requireProcessor(const CommandContext& context, std::string_view command) {
    const std::string& device = context.options().device;
    if (device.empty() || device == "auto" || device == "cpu") return;
    throw UsageError(
        fmt::format("--device {}: whet {} measures the processor only; whet bench cuda the GPU", device, command));
}

}  // namespace wb::app
