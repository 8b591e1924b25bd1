// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/plugin_loader.h"

#include "kernels/base/error.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/runtime/cuda_libraries.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

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

constexpr const char* kMathLibrary = "libcublasLt.so.13";

// Opens the plugin; CUDA's library that it needs is also looked for where the loader does not.
void* openPlugin(const fs::path& file, std::string& problem) {
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) return library;
    problem = dlerror();
    if (problem.find(kMathLibrary) == std::string::npos) return nullptr;
    if (!loadCudaLibrary(kMathLibrary)) {
        problem += "; install CUDA 13, set CUDA_HOME to it, or install the pip package nvidia-cublas";
        return nullptr;
    }
    library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) problem = dlerror();
    return library;
}

PluginStatus loadFile(const fs::path& file) {
    const auto refused = [&file](std::string reason) {
        return PluginStatus{.plugin = nullptr, .reason = std::move(reason), .file = file.string(), .build = {}};
    };
    std::string problem;
    void* library = openPlugin(file, problem);
    if (library == nullptr) return refused(fmt::format("{} does not load: {}", file.string(), problem));
    using EntryPoint = const PluginInterface* (*)();
    const auto entry = reinterpret_cast<EntryPoint>(dlsym(library, "whetbenchPlugin"));
    if (entry == nullptr) return refused(fmt::format("{} is not a Whetbench plugin", file.string()));
    const PluginInterface* plugin = entry();
    if (plugin->version != PluginInterface::kVersion) {
        return refused(fmt::format("{} has interface version {}, this program needs {}", file.string(), plugin->version,
                                   PluginInterface::kVersion));
    }
    PluginStatus status{
        .plugin = plugin, .reason = plugin->whyNoDevice(), .file = file.string(), .build = plugin->build()};
    PluginDevice device;
    bool isUsable = false;
    for (int index = 0; status.reason.empty() && index < plugin->deviceCount(); ++index) {
        if (!plugin->describe(index, device)) continue;
        if (device.reason.empty()) isUsable = true;
    }
    if (status.reason.empty() && !isUsable) status.reason = device.reason;
    if (!status.reason.empty()) status.plugin = nullptr;
    return status;
}

PluginStatus load() {
    for (const fs::path& folder : pluginFolders()) {
        const fs::path file = folder / kPluginFile;
        std::error_code error;
        if (fs::exists(file, error)) return loadFile(file);
    }
    return {.plugin = nullptr, .reason = "this build has no CUDA plugin", .file = {}, .build = {}};
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

int64_t heldDeviceMemory(const Context& context) {
    const int64_t streamBytes = context.stream == nullptr ? 0 : requirePlugin(context.device).streamBytes;
    return context.allocator->stats().reservedBytes + streamBytes;
}

std::vector<PluginDevice> pluginDevices() {
    std::vector<PluginDevice> devices;
    const PluginInterface* plugin = cudaPlugin().plugin;
    for (int index = 0; plugin != nullptr && index < plugin->deviceCount(); ++index) {
        PluginDevice device;
        if (plugin->describe(index, device)) devices.push_back(std::move(device));
    }
    return devices;
}

std::vector<PluginDevice> acceleratorDevices() {
    std::vector<PluginDevice> devices = pluginDevices();
    std::erase_if(devices, [](const PluginDevice& device) { return !device.reason.empty(); });
    return devices;
}

std::string deviceModel(Device device) {
    if (device.type != DeviceType::Cuda) return cpu::cpuFeatures().model;
    for (const PluginDevice& found : pluginDevices()) {
        if (found.device == device) return found.name;
    }
    return deviceName(device);
}

}  // namespace wb::kernels
