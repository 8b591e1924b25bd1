// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/upload_ring.h"

#include "kernels/cuda/stream.h"

#include <cstring>
#include <string>

namespace wb::kernels::cuda {
namespace {

constexpr size_t kAlignment = 256;

}  // namespace

UploadRing::UploadRing(cudaStream_t stream) : m_stream(stream) {
    void* pointer = nullptr;
    check(cudaHostAlloc(&pointer, kBytes, cudaHostAllocDefault), "page-locking host memory");
    m_host = static_cast<unsigned char*>(pointer);
    check(cudaMalloc(&pointer, kBytes), "taking memory for host arrays");
    m_device = static_cast<unsigned char*>(pointer);
}

UploadRing::~UploadRing() {
    cudaFree(m_device);
    cudaFreeHost(m_host);
}

size_t UploadRing::take(size_t bytes) {
    const size_t whole = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (whole > kBytes) {
        throw Error{ErrorCode::InvalidArgument, "a host array of " + std::to_string(bytes) +
                                                    " bytes is too long for one op; at most " + std::to_string(kBytes) +
                                                    " fit"};
    }
    if (m_next + whole > kBytes) {
        check(cudaStreamSynchronize(m_stream), "waiting for older work");
        m_next = 0;
        m_recent.clear();
    }
    const size_t offset = m_next;
    m_next += whole;
    return offset;
}

const void* UploadRing::upload(const void* values, size_t bytes) {
    if (bytes == 0) return m_device;
    for (const Entry& entry : m_recent) {
        if (entry.values == values && entry.bytes == bytes && std::memcmp(m_host + entry.offset, values, bytes) == 0)
            return m_device + entry.offset;
    }
    const size_t offset = take(bytes);
    std::memcpy(m_host + offset, values, bytes);
    check(cudaMemcpyAsync(m_device + offset, m_host + offset, bytes, cudaMemcpyHostToDevice, m_stream),
          "copying a host array");
    m_recent.push_front({values, bytes, offset});
    if (m_recent.size() > kRemembered) m_recent.pop_back();
    return m_device + offset;
}

}  // namespace wb::kernels::cuda
