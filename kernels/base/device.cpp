// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/device.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <charconv>

namespace wb {

std::string deviceName(Device device) {
    switch (device.type) {
        case DeviceType::Cpu: return "cpu";
        case DeviceType::Plan: return "plan";
        case DeviceType::Cuda: return fmt::format("cuda:{}", device.index);
    }
    return "cpu";
}

Device parseDevice(std::string_view name) {
    if (name == "cpu") return {};
    if (name == "plan") return {.type = DeviceType::Plan};
    if (name == "cuda") return {.type = DeviceType::Cuda};
    constexpr std::string_view kPrefix = "cuda:";
    if (name.starts_with(kPrefix)) {
        int index = 0;
        const char* end = name.data() + name.size();
        const auto [parsed, status] = std::from_chars(name.data() + kPrefix.size(), end, index);
        if (status == std::errc{} && parsed == end && index >= 0) return {.type = DeviceType::Cuda, .index = index};
    }
    throw Error{ErrorCode::InvalidArgument, fmt::format("unknown device '{}'; use cpu, cuda or cuda:N", name)};
}

}  // namespace wb
