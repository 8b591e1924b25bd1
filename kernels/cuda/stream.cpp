// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/stream.h"

#include "kernels/cuda/gemm.h"
#include "kernels/cuda/graph_recording.h"
#include "kernels/cuda/upload_ring.h"

namespace wb::kernels::cuda {

void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    const ErrorCode code = status == cudaErrorMemoryAllocation ? ErrorCode::OutOfMemory : ErrorCode::Device;
    throw Error{code, std::string("CUDA: ") + what + " failed: " + cudaGetErrorString(status)};
}

void failDtype(const char* op, DType dtype) {
    throw Error{ErrorCode::Unsupported,
                std::string("op '") + op + "' runs F32, BF16 and F16 on CUDA, not " + dtypeName(dtype)};
}

namespace {

DeviceLimits limitsOf(int device) {
    const auto attribute = [device](cudaDeviceAttr which) {
        int value = 0;
        check(cudaDeviceGetAttribute(&value, which, device), "asking for a limit of the device");
        return value;
    };
    return {.numMultiprocessors = attribute(cudaDevAttrMultiProcessorCount),
            .sharedBytesPerBlock = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin),
            .computeCapability =
                10 * attribute(cudaDevAttrComputeCapabilityMajor) + attribute(cudaDevAttrComputeCapabilityMinor),
            .l2Bytes = attribute(cudaDevAttrL2CacheSize)};
}

}  // namespace

Stream::Stream(int device) {
    check(cudaSetDevice(device), "choosing the device");
    m_limits = limitsOf(device);
    check(cudaStreamCreateWithFlags(&m_handle, cudaStreamNonBlocking), "making a stream");
    m_uploads = std::make_unique<UploadRing>(m_handle);
    m_gemm = std::make_unique<Gemm>();
}

Stream::~Stream() {
    cudaStreamSynchronize(m_handle);
    m_gemm.reset();
    m_uploads.reset();
    cudaStreamDestroy(m_handle);
}

void Stream::synchronize() {
    check(cudaStreamSynchronize(m_handle), "waiting for the device");
}

const void* Stream::uploadBytes(const void* values, size_t bytes) {
    return m_recording != nullptr ? m_recording->upload(values, bytes) : m_uploads->upload(values, bytes);
}

}  // namespace wb::kernels::cuda
