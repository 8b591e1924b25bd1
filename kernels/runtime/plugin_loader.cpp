// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/plugin_loader.h"

#include <dlfcn.h>
#include <fmt/format.h>
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
