// SPDX-License-Identifier: Apache-2.0
#include "core/run/machine.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <string_view>

#include "core/run/atomic_file.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

std::string readOrEmpty(const char* file) {
    try {
        return readWholeFile(file, size_t{4} << 20);
    } catch (const Error&) {
        return {};
    }
}

// The text after "key<spaces>:<spaces>" or "key=" of the first line that begins with the key.
std::string valueAfter(const std::string& text, std::string_view key) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(key)) continue;
        const size_t begin = line.find_first_not_of(" \t:=\"", key.size());
        if (begin == std::string::npos) return {};
        return line.substr(begin, line.find_last_not_of(" \t\"") - begin + 1);
    }
    return {};
}

int64_t leadingNumber(std::string_view text) {
    int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

int usableCores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
    return static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
}

void readCpu(MachineInfo& info) {
    const std::string text = readOrEmpty("/proc/cpuinfo");
    info.cpuModel = valueAfter(text, "model name");
    const std::string flags = fmt::format(" {} ", valueAfter(text, "flags"));
    constexpr std::array<std::string_view, 11> kKnown{"sse4_2",      "avx",      "f16c",    "fma",
                                                      "avx2",        "avx_vnni", "avx512f", "avx512_vnni",
                                                      "avx512_bf16", "amx_int8", "amx_bf16"};
    for (const std::string_view flag : kKnown) {
        if (flags.find(fmt::format(" {} ", flag)) != std::string::npos) info.cpuFlags.emplace_back(flag);
    }
}

void readMemory(MachineInfo& info) {
    const std::string text = readOrEmpty("/proc/meminfo");
    info.memoryTotal = leadingNumber(valueAfter(text, "MemTotal")) * 1024;
    info.memoryAvailable = leadingNumber(valueAfter(text, "MemAvailable")) * 1024;
    // A container may be allowed less than the machine has ("max" reads as 0).
    const int64_t limit = leadingNumber(readOrEmpty("/sys/fs/cgroup/memory.max"));
    if (limit <= 0 || limit >= info.memoryTotal) return;
    const int64_t used = leadingNumber(readOrEmpty("/sys/fs/cgroup/memory.current"));
    info.memoryTotal = limit;
    info.memoryAvailable = std::min(info.memoryAvailable, std::max<int64_t>(0, limit - used));
}

// The few functions of the CUDA driver that describe devices, by their C signatures.
struct CudaDriver {
    using Init = int (*)(unsigned);
    using IntOut = int (*)(int*);
    using DeviceGet = int (*)(int*, int);
    using DeviceName = int (*)(char*, int, int);
    using DeviceMemory = int (*)(size_t*, int);
    using DeviceAttribute = int (*)(int*, int, int);
    using DeviceAddress = int (*)(char*, int, int);

    explicit CudaDriver(void* library)
        : init(load<Init>(library, "cuInit")),
          driverVersion(load<IntOut>(library, "cuDriverGetVersion")),
          deviceCount(load<IntOut>(library, "cuDeviceGetCount")),
          deviceGet(load<DeviceGet>(library, "cuDeviceGet")),
          deviceName(load<DeviceName>(library, "cuDeviceGetName")),
          deviceMemory(load<DeviceMemory>(library, "cuDeviceTotalMem_v2")),
          deviceAttribute(load<DeviceAttribute>(library, "cuDeviceGetAttribute")),
          deviceAddress(load<DeviceAddress>(library, "cuDeviceGetPCIBusId")) {}

    template <class Function>
    static Function load(void* library, const char* name) {
        return reinterpret_cast<Function>(::dlsym(library, name));
    }
    bool isComplete() const {
        return init && driverVersion && deviceCount && deviceGet && deviceName && deviceMemory && deviceAttribute &&
               deviceAddress;
    }

    Init init;
    IntOut driverVersion;
    IntOut deviceCount;
    DeviceGet deviceGet;
    DeviceName deviceName;
    DeviceMemory deviceMemory;
    DeviceAttribute deviceAttribute;
    DeviceAddress deviceAddress;
};

GpuInfo describe(const CudaDriver& driver, int index) {
    constexpr int kComputeMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    constexpr int kComputeMinor = 76;
    GpuInfo gpu;
    int device = 0;
    if (driver.deviceGet(&device, index) != 0) return gpu;
    std::array<char, 256> name{};
    if (driver.deviceName(name.data(), static_cast<int>(name.size()) - 1, device) == 0) gpu.name = name.data();
    size_t bytes = 0;
    if (driver.deviceMemory(&bytes, device) == 0) gpu.memoryTotal = static_cast<int64_t>(bytes);
    driver.deviceAttribute(&gpu.computeMajor, kComputeMajor, device);
    driver.deviceAttribute(&gpu.computeMinor, kComputeMinor, device);
    std::array<char, 32> address{};
    if (driver.deviceAddress(address.data(), static_cast<int>(address.size()), device) == 0)
        gpu.pciAddress = address.data();
    return gpu;
}

}  // namespace

MachineInfo probeMachine() {
    MachineInfo info;
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0) info.host = host.data();
    readCpu(info);
    readMemory(info);
    info.cores = usableCores();
    info.system = valueAfter(readOrEmpty("/etc/os-release"), "PRETTY_NAME");
    utsname kernel{};
    if (::uname(&kernel) == 0) {
        if (info.cpuModel.empty()) info.cpuModel = kernel.machine;
        info.system += fmt::format("{}{} {}", info.system.empty() ? "" : ", ", kernel.sysname, kernel.release);
    }
    return info;
}

GpuProbe probeGpus() {
    GpuProbe probe;
    // Stays loaded: the driver does not like to be unloaded once it has started.
    void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        probe.reason = "no NVIDIA driver is installed (libcuda.so.1 not found)";
        return probe;
    }
    const CudaDriver driver(library);
    if (!driver.isComplete()) {
        probe.reason = "the NVIDIA driver is too old (functions are missing in libcuda.so.1)";
        return probe;
    }
    const int started = driver.init(0);
    if (started != 0) {
        constexpr int kNoDevice = 100;
        probe.reason = started == kNoDevice ? "a driver is installed, but no NVIDIA GPU is present"
                                            : fmt::format("the NVIDIA driver does not start (CUDA error {})", started);
        return probe;
    }
    int version = 0;
    if (driver.driverVersion(&version) == 0)
        probe.driver = fmt::format("CUDA {}.{}", version / 1000, version % 1000 / 10);
    int count = 0;
    if (driver.deviceCount(&count) != 0 || count == 0) {
        probe.reason = "a driver is installed, but no NVIDIA GPU is present";
        return probe;
    }
    for (int i = 0; i < count; ++i) probe.gpus.push_back(describe(driver, i));
    return probe;
}

}  // namespace wb::core
