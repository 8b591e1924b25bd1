// SPDX-License-Identifier: Apache-2.0
// Stands in for NVIDIA's management library: two GPUs with fixed figures. FAKE_NVML chooses what goes wrong:
//   absent   initialisation fails            hangs   the second question about a GPU never returns
//   sparse   only memory and temperature are told
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;
constexpr int kDriverNotLoaded = 9;
constexpr unsigned kCount = 2;
constexpr const char* kAddresses[kCount] = {"0000:18:00.0", "0000:3B:00.0"};

struct Utilisation {
    unsigned gpu;
    unsigned memory;
};
struct Memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};

std::string_view fault() {
    const char* text = std::getenv("FAKE_NVML");
    return text == nullptr ? "" : text;
}

std::atomic<int> g_questions{0};

// The number of a handle: 0 or 1.
unsigned indexOf(void* handle) {
    if (fault() == "hangs" && ++g_questions > 1) ::pause();
    return static_cast<unsigned>(reinterpret_cast<unsigned long>(handle)) - 1;
}

void* handleOf(unsigned index) {
    return reinterpret_cast<void*>(static_cast<unsigned long>(index) + 1);
}

int copyText(const char* text, char* out, unsigned size) {
    if (std::strlen(text) >= size) return kInvalidArgument;
    std::strcpy(out, text);
    return kSuccess;
}

int tell(unsigned value, unsigned* out) {
    if (fault() == "sparse") return kNotSupported;
    *out = value;
    return kSuccess;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
    return fault() == "absent" ? kDriverNotLoaded : kSuccess;
}
int nvmlSystemGetDriverVersion(char* out, unsigned size) {
    return copyText("580.159.04", out, size);
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = kCount;
    return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    if (index >= kCount) return kInvalidArgument;
    *device = handleOf(index);
    return kSuccess;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char* address, void** device) {
    for (unsigned i = 0; i < kCount; ++i) {
        if (std::strcmp(kAddresses[i], address) == 0) return nvmlDeviceGetHandleByIndex_v2(i, device);
    }
    return kInvalidArgument;
}
int nvmlDeviceGetName(void* device, char* out, unsigned size) {
    return copyText(indexOf(device) == 0 ? "Fake GPU A" : "Fake GPU B", out, size);
}
int nvmlDeviceGetUtilizationRates(void* device, Utilisation* out) {
    if (fault() == "sparse") return kNotSupported;
    *out = {87 + indexOf(device), 40};
    return kSuccess;
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* out) {
    const unsigned long long used = (indexOf(device) + 1ULL) << 30;
    *out = {16ULL << 30, (16ULL << 30) - used, used};
    return kSuccess;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* out) {
    return tell(540250 + indexOf(device), out);
}
int nvmlDeviceGetEnforcedPowerLimit(void* /*device*/, unsigned* out) {
    return tell(700000, out);
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* out) {
    if (sensor != 0) return kInvalidArgument;
    *out = 61 + indexOf(device);
    return kSuccess;
}
int nvmlDeviceGetClockInfo(void* device, int type, unsigned* out) {
    if (type != 1 && type != 2) return kInvalidArgument;
    return tell((type == 1 ? 1980 : 3201) + indexOf(device), out);
}

}  // extern "C"
