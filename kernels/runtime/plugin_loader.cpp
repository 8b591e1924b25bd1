// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/plugin_loader.h"

#include "kernels/base/error.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace wb::kernels {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPluginFile = "libwhetbench_cuda.so";

std::vector<fs::path> pluginFolders() {
    std::vector<fs::path> folders;
    if (const char* chosen = std::getenv("WHETBENCH_PLUGIN_DIR")) folders.emplace_back(chosen);
    std::error_code error;
    const fs::path executable = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
        folders.push_back(executable.parent_path());
        folders.push_back(executable.parent_path().parent_path() / "lib");
    }
    return folders;
}

PluginStatus load() {
    for (const fs::path& folder : pluginFolders()) {
        const fs::path file = folder / kPluginFile;
        std::error_code error;
        if (!fs::exists(file, error)) continue;
        void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) return {nullptr, fmt::format("{} does not load: {}", file.string(), dlerror())};
        using EntryPoint = const PluginInterface* (*)();
        const auto entry = reinterpret_cast<EntryPoint>(dlsym(library, "whetbenchPlugin"));
        if (entry == nullptr) return {nullptr, fmt::format("{} is not a Whetbench plugin", file.string())};
        const PluginInterface* plugin = entry();
        if (plugin->version != PluginInterface::kVersion) {
            return {nullptr, fmt::format("{} has interface version {}, this program needs {}", file.string(),
                                         plugin->version, PluginInterface::kVersion)};
        }
        if (plugin->deviceCount() == 0)
            return {nullptr, "the CUDA plugin is there, but no usable GPU or driver was found"};
        return {plugin, ""};
    }
    return {nullptr, "this build has no CUDA plugin"};
}

}  // namespace

const PluginStatus& cudaPlugin() {
    static const PluginStatus status = load();
    return status;
}

const PluginInterface& requirePlugin(Device device) {
    const PluginStatus& status = cudaPlugin();
    if (status.plugin == nullptr) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("device {} cannot be used: {}; use --device cpu", deviceName(device), status.reason)};
    }
    if (device.index >= status.plugin->deviceCount()) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("device {} does not exist; this machine has {} GPU(s)",
                                                            deviceName(device), status.plugin->deviceCount())};
    }
    return *status.plugin;
}

int64_t availableDeviceMemory(Device device) {
    const PluginInterface& plugin = requirePlugin(device);
    return std::max<int64_t>(0, plugin.freeMemoryBytes(device.index) - plugin.streamBytes);
}

std::vector<PluginDevice> acceleratorDevices() {
    std::vector<PluginDevice> devices;
    const PluginInterface* plugin = cudaPlugin().plugin;
    for (int index = 0; plugin != nullptr && index < plugin->deviceCount(); ++index) {
        PluginDevice device;
        if (plugin->describe(index, device)) devices.push_back(device);
    }
    return devices;
}

}  // namespace wb::kernels
