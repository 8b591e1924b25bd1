// SPDX-License-Identifier: Apache-2.0
// The plugin's one symbol.
#include "kernels/cuda/architectures.h"
#include "kernels/cuda/device_timer.h"
#include "kernels/cuda/graph_recording.h"
#include "kernels/cuda/host_read.h"
#include "kernels/cuda/op_table_cuda.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/upload_ring.h"
#include "kernels/runtime/plugin_loader.h"

#include <algorithm>
#include <memory>

namespace wb::kernels::cuda {
namespace {

class CudaMemorySource final : public MemorySource {
public:
    explicit CudaMemorySource(int device) : m_device(device) {}

    void* allocate(size_t bytes) override {
        void* pointer = nullptr;
        if (cudaSetDevice(m_device) != cudaSuccess) return nullptr;
        const cudaError_t status = cudaMalloc(&pointer, bytes);
        if (status == cudaErrorMemoryAllocation) {
            cudaGetLastError();  // the failure is answered; later checks must not see it
            return nullptr;
        }
        check(status, "taking memory");
        return pointer;
    }
    void release(void* pointer) override { cudaFree(pointer); }

private:
    int m_device;
};

int deviceCount() {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

// "13.0" of 13000.
std::string versionText(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// "9.0" of 90.
std::string capabilityText(int capability) {
    return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

std::string architecturesText() {
    std::string text;
    for (const int capability : builtArchitectures()) text += (text.empty() ? "" : ", ") + capabilityText(capability);
    return text;
}

std::string whyNoDevice() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return {};
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0) return "no NVIDIA driver is installed (libcuda.so.1 not found)";
    if (driver / 1000 < CUDART_VERSION / 1000) {
        return "the NVIDIA driver supports CUDA " + versionText(driver) + ", the plugin needs " +
               versionText(CUDART_VERSION) + ": update the driver";
    }
    if (status == cudaSuccess || status == cudaErrorNoDevice)
        return "a driver is installed, but no NVIDIA GPU is visible; if there is one, see CUDA_VISIBLE_DEVICES";
    return std::string("CUDA does not start: ") + cudaGetErrorString(status);
}

std::string build() {
    const std::string architectures = architecturesText();
    return "CUDA " + versionText(CUDART_VERSION) + (architectures.empty() ? "" : ", compute " + architectures);
}

std::string noKernelsText(const PluginDevice& device) {
    return device.name + " has compute capability " + capabilityText(device.computeCapability) +
           ", this build has kernels for " + architecturesText();
}

bool describe(int index, PluginDevice& out) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return false;
    const int capability = 10 * properties.major + properties.minor;
    out = {{DeviceType::Cuda, index}, properties.name, static_cast<int64_t>(properties.totalGlobalMem), capability, {}};
    // Newer devices translate the code of older ones. No context is made for the answer: that takes a second each.
    const auto built = builtArchitectures();
    if (std::ranges::none_of(built, [&](int one) { return one <= capability; })) out.reason = noKernelsText(out);
    return true;
}

int64_t freeMemoryBytes(int index) {
    size_t free = 0;
    size_t total = 0;
    check(cudaSetDevice(index), "choosing the device");
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    return static_cast<int64_t>(free);
}

void* makeStream(int index) {
    auto stream = std::make_unique<Stream>(index);
    PluginDevice device;
    if (!hasKernelsForDevice() && describe(index, device)) throw Error{ErrorCode::Device, noKernelsText(device)};
    return stream.release();
}

constexpr PluginInterface kPlugin{
    .version = PluginInterface::kVersion,
    .ops = [] { return &cudaOpTable(); },
    .deviceCount = deviceCount,
    .whyNoDevice = whyNoDevice,
    .build = build,
    .describe = describe,
    .freeMemoryBytes = freeMemoryBytes,
    .streamBytes = static_cast<int64_t>(UploadRing::kBytes),
    .makeMemorySource = [](int index) -> MemorySource* { return new CudaMemorySource(index); },
    .makeStream = makeStream,
    .destroyStream = [](void* stream) { delete static_cast<Stream*>(stream); },
    .makeTimer = [](void* stream) -> DeviceTimer* { return new EventTimer(*static_cast<Stream*>(stream)); },
    .makeRecording = [](void* stream) -> StepRecording* { return new GraphRecording(*static_cast<Stream*>(stream)); },
    .makeHostRead = [](void* stream, size_t capacity) -> HostRead* {
        return new DeviceRead(*static_cast<Stream*>(stream), capacity);
    },
};

}  // namespace
}  // namespace wb::kernels::cuda

extern "C" __attribute__((visibility("default"))) const wb::kernels::PluginInterface* whetbenchPlugin() {
    return &wb::kernels::cuda::kPlugin;
}
