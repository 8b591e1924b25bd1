// SPDX-License-Identifier: Apache-2.0
#include "core/run/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace wb::core {
namespace {

// Values of the enumerations of nvml.h; they are part of the library's binary interface.
constexpr int kSuccess = 0;
constexpr int kTemperatureOfChip = 0;
constexpr int kClockOfMultiprocessors = 1;
constexpr int kClockOfMemory = 2;

constexpr double kMilli = 1e-3;
constexpr double kPercent = 1e-2;

// The value that a getter writes, scaled; nothing if there is no such getter or it fails.
template <class Getter, class... Arguments>
std::optional<double> ask(double unit, Getter getter, Arguments... arguments) {
    unsigned value = 0;
    if (getter == nullptr || getter(arguments..., &value) != kSuccess) return std::nullopt;
    return unit * value;
}

}  // namespace

template <class Function>
void Nvml::find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
}

Nvml::Nvml(const std::string& library) {
    // Stays loaded: it is the driver's, and unloading it while a call hangs would end the process.
    void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        m_reason = fmt::format("{} is not there; it comes with the NVIDIA driver", library);
        return;
    }
    find(handle, "nvmlInit_v2", m_init);
    find(handle, "nvmlSystemGetDriverVersion", m_version);
    find(handle, "nvmlDeviceGetCount_v2", m_count);
    find(handle, "nvmlDeviceGetHandleByIndex_v2", m_byIndex);
    find(handle, "nvmlDeviceGetHandleByPciBusId_v2", m_byAddress);
    find(handle, "nvmlDeviceGetName", m_name);
    find(handle, "nvmlDeviceGetUtilizationRates", m_utilisation);
    find(handle, "nvmlDeviceGetMemoryInfo", m_memory);
    find(handle, "nvmlDeviceGetPowerUsage", m_power);
    find(handle, "nvmlDeviceGetEnforcedPowerLimit", m_powerLimit);
    find(handle, "nvmlDeviceGetTemperature", m_temperature);
    find(handle, "nvmlDeviceGetClockInfo", m_clock);
    if (m_init == nullptr || m_count == nullptr || m_byIndex == nullptr) {
        m_reason = fmt::format("{} is too old or no management library", library);
    } else if (const int status = m_init(); status != kSuccess) {
        m_reason = fmt::format("{} does not start (NVML error {})", library, status);
    }
}

std::string Nvml::driverVersion() const {
    std::array<char, 96> text{};
    if (m_version == nullptr || m_version(text.data(), static_cast<unsigned>(text.size()) - 1) != kSuccess) return {};
    return text.data();
}

int Nvml::deviceCount() const {
    unsigned count = 0;
    return m_count(&count) == kSuccess ? static_cast<int>(count) : 0;
}

std::optional<GpuReading> Nvml::read(int index, const std::string& pciAddress) const {
    GpuReading reading;
    Handle device = nullptr;
    const bool isFound = pciAddress.empty() || m_byAddress == nullptr
                             ? m_byIndex(static_cast<unsigned>(index), &device) == kSuccess
                             : m_byAddress(pciAddress.c_str(), &device) == kSuccess;
    if (!isFound) return std::nullopt;
    std::array<char, 96> name{};
    if (m_name != nullptr && m_name(device, name.data(), static_cast<unsigned>(name.size()) - 1) == kSuccess)
        reading.name = name.data();
    if (Utilisation busy{}; m_utilisation != nullptr && m_utilisation(device, &busy) == kSuccess)
        reading.utilisation = kPercent * busy.gpu;
    if (Memory memory{}; m_memory != nullptr && m_memory(device, &memory) == kSuccess) {
        reading.memoryUsed = static_cast<int64_t>(memory.used);
        reading.memoryTotal = static_cast<int64_t>(memory.total);
    }
    reading.powerWatts = ask(kMilli, m_power, device);
    reading.powerLimitWatts = ask(kMilli, m_powerLimit, device);
    reading.temperatureCelsius = ask(1.0, m_temperature, device, kTemperatureOfChip);
    reading.clockMhz = ask(1.0, m_clock, device, kClockOfMultiprocessors);
    reading.memoryClockMhz = ask(1.0, m_clock, device, kClockOfMemory);
    return reading;
}

}  // namespace wb::core
