// SPDX-License-Identifier: Apache-2.0
// The plugin's one symbol.
#include "kernels/cuda/device_timer.h"
#include "kernels/cuda/graph_recording.h"
#include "kernels/cuda/op_table_cuda.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/upload_ring.h"
#include "kernels/runtime/plugin_loader.h"

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

bool describe(int index, PluginDevice& out) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return false;
    out = {{DeviceType::Cuda, index}, properties.name, static_cast<int64_t>(properties.totalGlobalMem)};
    return true;
}

int64_t freeMemoryBytes(int index) {
    size_t free = 0;
    size_t total = 0;
    check(cudaSetDevice(index), "choosing the device");
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    return static_cast<int64_t>(free);
}

constexpr PluginInterface kPlugin{
    .version = PluginInterface::kVersion,
    .ops = [] { return &cudaOpTable(); },
    .deviceCount = deviceCount,
    .describe = describe,
    .freeMemoryBytes = freeMemoryBytes,
    .streamBytes = static_cast<int64_t>(UploadRing::kBytes),
    .makeMemorySource = [](int index) -> MemorySource* { return new CudaMemorySource(index); },
    .makeStream = [](int index) -> void* { return new Stream(index); },
    .destroyStream = [](void* stream) { delete static_cast<Stream*>(stream); },
    .makeTimer = [](void* stream) -> DeviceTimer* { return new EventTimer(*static_cast<Stream*>(stream)); },
    .makeRecording = [](void* stream) -> StepRecording* { return new GraphRecording(*static_cast<Stream*>(stream)); },
};

}  // namespace
}  // namespace wb::kernels::cuda

extern "C" __attribute__((visibility("default"))) const wb::kernels::PluginInterface* whetbenchPlugin() {
    return &wb::kernels::cuda::kPlugin;
}
