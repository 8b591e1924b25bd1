// SPDX-License-Identifier: Apache-2.0
// The few functions of NVIDIA's management library that tell how busy a GPU is, declared by their C signatures: no
// header of theirs is needed, and a machine without the library works as before.
#pragma once

#include <optional>
#include <string>

#include "core/run/events.h"

namespace wb::core {

// Any call may take as long as the driver likes: use it on a thread that may be left behind (GpuTelemetry).
class Nvml {
public:
    // Loads the library; `reason()` tells why it is of no use, empty if it is.
    explicit Nvml(const std::string& library);
    const std::string& reason() const { return m_reason; }

    // "580.159.04"; empty if not told.
    std::string driverVersion() const;
    int deviceCount() const;
    // What device `index` of this library does now. A PCI address ("0000:18:00.0") finds the device wherever
    // CUDA_VISIBLE_DEVICES has put it; without one the index counts. Fields the driver does not tell are absent;
    // nothing if it does not know the device.
    std::optional<GpuReading> read(int index, const std::string& pciAddress) const;

private:
    using Handle = void*;
    struct Utilisation {
        unsigned gpu;
        unsigned memory;
    };
    struct Memory {
        unsigned long long total;
        unsigned long long free;
        unsigned long long used;
    };

    template <class Function>
    void find(void* library, const char* name, Function& function);

    std::string m_reason;
    int (*m_init)() = nullptr;
    int (*m_version)(char*, unsigned) = nullptr;
    int (*m_count)(unsigned*) = nullptr;
    int (*m_byIndex)(unsigned, Handle*) = nullptr;
    int (*m_byAddress)(const char*, Handle*) = nullptr;
    int (*m_name)(Handle, char*, unsigned) = nullptr;
    int (*m_utilisation)(Handle, Utilisation*) = nullptr;
    int (*m_memory)(Handle, Memory*) = nullptr;
    int (*m_power)(Handle, unsigned*) = nullptr;
    int (*m_powerLimit)(Handle, unsigned*) = nullptr;
    int (*m_temperature)(Handle, int, unsigned*) = nullptr;
    int (*m_clock)(Handle, int, unsigned*) = nullptr;
};

}  // namespace wb::core
