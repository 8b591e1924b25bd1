// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.h"
#include "kernels/runtime/allocator.h"
#include "kernels/runtime/profiler.h"
#include "kernels/runtime/step_recording.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wb::kernels {

struct OpTable;

// A device that a plugin found, or the reason why it cannot be used.
struct PluginDevice {
    Device device;
    std::string name;
    int64_t memoryBytes = 0;
};

// What the shared object `whetbench_cuda` exports through its one C symbol `whetbenchPlugin`.
struct PluginInterface {
    static constexpr uint32_t kVersion = 4;

    uint32_t version = 0;  // must equal kVersion
    const OpTable* (*ops)() = nullptr;
    int (*deviceCount)() = nullptr;  // 0 when there is no usable device
    bool (*describe)(int index, PluginDevice& out) = nullptr;
    // Bytes that this process could still take on the device now.
    int64_t (*freeMemoryBytes)(int index) = nullptr;
    int64_t streamBytes = 0;  // what a stream takes of that for itself, besides the allocator's
    MemorySource* (*makeMemorySource)(int index) = nullptr;  // ownership passes to the caller
    void* (*makeStream)(int index) = nullptr;                // throws Device
    void (*destroyStream)(void* stream) = nullptr;
    DeviceTimer* (*makeTimer)(void* stream) = nullptr;        // ownership passes to the caller
    StepRecording* (*makeRecording)(void* stream) = nullptr;  // likewise
};

struct PluginStatus {
    const PluginInterface* plugin = nullptr;  // null when not usable
    std::string reason;                       // why not, for `whet doctor` and the GUI
};

// Loads the plugin once per process: from WHETBENCH_PLUGIN_DIR, beside the executable, or ../lib of it. Thread-safe.
const PluginStatus& cudaPlugin();

// The plugin, for a device that exists. Throws Unsupported with the reason, InvalidArgument for an index too high.
const PluginInterface& requirePlugin(Device device);

// Bytes that a new runtime on this CUDA device could allocate now. Throws Unsupported if the device cannot be used
// here.
int64_t availableDeviceMemory(Device device);

// Usable accelerator devices, best first; empty without plugin or driver.
std::vector<PluginDevice> acceleratorDevices();

}  // namespace wb::kernels
