// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/upload_ring.h"

#include "kernels/cuda/stream.h"

#include <algorithm>
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
    for (cudaEvent_t& event : m_entered) {
        check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    }
}

UploadRing::~UploadRing() {
    for (const cudaEvent_t event : m_entered) cudaEventDestroy(event);
    cudaFree(m_device);
    cudaFreeHost(m_host);
}

// An op may have uploaded into the old part and launch from the new one, but not from the one after that: what was
// given to the device before the part two ahead was entered covers all use of this one.
void UploadRing::enterNextPart() {
    m_part = (m_part + 1) % kParts;
    m_next = 0;
    m_recent.clear();
    check(cudaEventSynchronize(m_entered[(m_part + 2) % kParts]), "waiting for older work");
    check(cudaEventRecord(m_entered[m_part], m_stream), "recording an event");
}

size_t UploadRing::take(size_t bytes) {
    if (bytes > kPartBytes) {
        throw Error{ErrorCode::InvalidArgument, "a host array of " + std::to_string(bytes) +
                                                    " bytes is too long for one op; at most " +
                                                    std::to_string(kPartBytes) + " fit"};
    }
    if (m_next + bytes > kPartBytes) enterNextPart();
    const size_t offset = m_part * kPartBytes + m_next;
    m_next += (bytes + kAlignment - 1) / kAlignment * kAlignment;
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

void UploadRing::send(void* target, const void* source, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        const size_t piece = std::min(bytes - done, kPartBytes);
        const size_t offset = take(piece);
        std::memcpy(m_host + offset, static_cast<const unsigned char*>(source) + done, piece);
        check(cudaMemcpyAsync(static_cast<unsigned char*>(target) + done, m_host + offset, piece,
                              cudaMemcpyHostToDevice, m_stream),
              "copying to the device");
        done += piece;
    }
}

}  // namespace wb::kernels::cuda
