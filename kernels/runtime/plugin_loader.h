// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.h"
#include "kernels/runtime/allocator.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/host_read.h"
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
    int computeCapability = 0;  // 90 for 9.0
    std::string reason;         // why this one cannot be used; empty if it can
};

// What the shared object `whetbench_cuda` exports through its one C symbol `whetbenchPlugin`.
struct PluginInterface {
    static constexpr uint32_t kVersion = 5;

    uint32_t version = 0;  // must equal kVersion
    const OpTable* (*ops)() = nullptr;
    int (*deviceCount)() = nullptr;          // 0 when there is none
    std::string (*whyNoDevice)() = nullptr;  // what keeps deviceCount at 0; empty otherwise
    std::string (*build)() = nullptr;        // "CUDA 13.0, compute 8.0, 9.0", for people
    bool (*describe)(int index, PluginDevice& out) = nullptr;
    // Bytes that this process could still take on the device now.
    int64_t (*freeMemoryBytes)(int index) = nullptr;
    int64_t streamBytes = 0;  // what a stream takes of that for itself, besides the allocator's
    MemorySource* (*makeMemorySource)(int index) = nullptr;  // ownership passes to the caller
    void* (*makeStream)(int index) = nullptr;                // throws Device
    void (*destroyStream)(void* stream) = nullptr;
    DeviceTimer* (*makeTimer)(void* stream) = nullptr;        // ownership passes to the caller
    StepRecording* (*makeRecording)(void* stream) = nullptr;  // likewise
    HostRead* (*makeHostRead)(void* stream, size_t capacityBytes) = nullptr;
};

struct PluginStatus {
    const PluginInterface* plugin = nullptr;  // null when not usable
    std::string reason;                       // why not, for `whet doctor` and the GUI
    std::string file;                         // that was found; empty if there is none
    std::string build;                        // what it was built for, for people; empty if it did not load
};

// Loads the plugin once per process: from WHETBENCH_PLUGIN_DIR, beside the executable, or ../lib of it. Thread-safe.
const PluginStatus& cudaPlugin();

// The plugin, for a device that exists. Throws Unsupported with the reason, InvalidArgument for an index too high.
const PluginInterface& requirePlugin(Device device);

// Bytes that a new runtime on this CUDA device could allocate now. Throws Unsupported if the device cannot be used
// here.
int64_t availableDeviceMemory(Device device);

// Device memory that a run in this context need not find free: it is taken already.
int64_t heldDeviceMemory(const Context& context);

// All devices that the plugin sees, those that cannot be used with the reason; empty without plugin or driver.
std::vector<PluginDevice> pluginDevices();

// Usable accelerator devices, best first.
std::vector<PluginDevice> acceleratorDevices();

// What the maker calls the device: "NVIDIA H200", for the processor its model.
std::string deviceModel(Device device);

}  // namespace wb::kernels
