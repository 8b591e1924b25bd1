// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <deque>

namespace wb::kernels::cuda {

// Host arrays on their way to the device: page-locked memory and its twin on the device, written from end to end in
// parts. The host waits only for work that used a part one lap ago. Engine thread only.
class UploadRing {
public:
    static constexpr size_t kPartBytes = size_t{8} << 20;
    static constexpr size_t kParts = 4;
    static constexpr size_t kBytes = kParts * kPartBytes;

    explicit UploadRing(cudaStream_t stream);
    ~UploadRing();
    UploadRing(const UploadRing&) = delete;
    UploadRing& operator=(const UploadRing&) = delete;

    // Where `bytes` bytes of `values` will be on the device for the op that the caller launches next. Sequence bounds
    // are asked for by every layer: the same values from the same address are mostly copied once. Throws
    // InvalidArgument if they exceed a part.
    const void* upload(const void* values, size_t bytes);
    // Copies any number of bytes to `target`, in the order of the stream; `source` may change after the call.
    void send(void* target, const void* source, size_t bytes);

private:
    static constexpr size_t kRemembered = 16;

    struct Entry {
        const void* values;
        size_t bytes;
        size_t offset;
    };

    size_t take(size_t bytes);
    void enterNextPart();

    cudaStream_t m_stream;
    unsigned char* m_host = nullptr;
    unsigned char* m_device = nullptr;
    std::array<cudaEvent_t, kParts> m_entered{};  // what was given to the device before a part was last entered
    size_t m_part = 0;
    size_t m_next = 0;  // in the part
    std::deque<Entry> m_recent;
};

}  // namespace wb::kernels::cuda
