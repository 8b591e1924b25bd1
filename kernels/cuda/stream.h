// SPDX-License-Identifier: Apache-2.0
// Host side of the CUDA ops: errors, launches, host arrays on their way to the device.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/error.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/view.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace wb::kernels::cuda {

// Throws Device with what was tried and what CUDA says; OutOfMemory for lack of memory.
void check(cudaError_t status, const char* what);

class Gemm;            // matrix products (gemm.h)
class UploadRing;      // host arrays (upload_ring.h)
class GraphRecording;  // of a step (graph_recording.h)

struct DeviceLimits {
    int numMultiprocessors = 0;
    int sharedBytesPerBlock = 0;  // the most a launch may ask for
    int computeCapability = 0;    // 90 for 9.0
    int64_t l2Bytes = 0;
};

// One queue of work on one device with what belongs to it. Engine thread only.
class Stream {
public:
    explicit Stream(int device);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    cudaStream_t handle() const { return m_handle; }
    const DeviceLimits& limits() const { return m_limits; }
    Gemm& gemm() { return *m_gemm; }
    UploadRing& uploads() { return *m_uploads; }
    void synchronize();

    // While set, host arrays belong to the recording, not to the ring.
    void setRecording(GraphRecording* recording) { m_recording = recording; }
    GraphRecording* recording() const { return m_recording; }

    // A copy of host values in device memory for the ops that the caller launches next: `values` may change after the
    // call. The same values from the same place are copied once.
    template <class T>
    const T* upload(std::span<const T> values) {
        return static_cast<const T*>(uploadBytes(values.data(), values.size_bytes()));
    }

private:
    const void* uploadBytes(const void* values, size_t bytes);

    DeviceLimits m_limits;
    cudaStream_t m_handle = nullptr;
    std::unique_ptr<UploadRing> m_uploads;
    std::unique_ptr<Gemm> m_gemm;
    GraphRecording* m_recording = nullptr;
};

inline Stream& streamOf(const Context& context) {
    return *static_cast<Stream*>(context.stream);
}

struct LaunchShape {
    dim3 grid;
    dim3 block;
    size_t sharedBytes = 0;
};

inline constexpr size_t kSharedWithoutAsking = 48 * 1024;

// Starts a kernel. An empty grid is nothing to do.
template <class... Params, class... Args>
void launch(const Stream& stream, const LaunchShape& shape, void (*kernel)(Params...), Args&&... args) {
    if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
    if (shape.sharedBytes > kSharedWithoutAsking) {
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(shape.sharedBytes)),
              "asking for shared memory");
    }
    cudaLaunchConfig_t config{};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.sharedBytes;
    config.stream = stream.handle();
    check(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...), "starting a kernel");
}

// Blocks of `size` that cover `count` items.
inline unsigned blocksFor(int64_t count, int64_t size) {
    return static_cast<unsigned>((count + size - 1) / size);
}

// The parts of a workspace start at multiples of this.
inline size_t alignedBytes(size_t bytes) {
    constexpr size_t kAlignment = 256;
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <class T>
struct TypeTag {
    using Type = T;
};

[[noreturn]] void failDtype(const char* op, DType dtype);

// Calls body(TypeTag<T>{}) for the device type of F32, BF16 or F16; Unsupported for others.
template <class Body>
void withType(const char* op, DType dtype, const Body& body) {
    switch (dtype) {
        case DType::F32: return body(TypeTag<float>{});
        case DType::BF16: return body(TypeTag<__nv_bfloat16>{});
        case DType::F16: return body(TypeTag<__half>{});
        default: failDtype(op, dtype);
    }
}

}  // namespace wb::kernels::cuda
