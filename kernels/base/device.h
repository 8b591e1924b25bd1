// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wb {

// Plan allocates numbers and runs nothing: the exact memory plan is a dry run on it.
enum class DeviceType { Cpu, Cuda, Plan };

struct Device {
    DeviceType type = DeviceType::Cpu;
    int index = 0;

    bool operator==(const Device&) const = default;
};

// "cpu", "cuda:0", "plan".
std::string deviceName(Device device);

// Inverse of deviceName; "cuda" means "cuda:0". Throws InvalidArgument.
Device parseDevice(std::string_view name);

}  // namespace wb
