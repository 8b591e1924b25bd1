// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <deque>

namespace wb::kernels::cuda {

// Small host arrays on their way to the device: page-locked memory and its twin on the device, written from end to end;
// at the end the device is waited for once (a step uploads kilobytes, so that happens once in thousands of steps).
// Engine thread only.
class UploadRing {
public:
    explicit UploadRing(cudaStream_t stream);
    ~UploadRing();
    UploadRing(const UploadRing&) = delete;
    UploadRing& operator=(const UploadRing&) = delete;

    // Where `bytes` bytes of `values` will be on the device for ops that follow in the stream. Sequence bounds are
    // asked for by every layer: the same values from the same address are copied once. Throws InvalidArgument if they
    // exceed the ring.
    const void* upload(const void* values, size_t bytes);

private:
    static constexpr size_t kBytes = size_t{32} << 20;
    static constexpr size_t kRemembered = 16;

    struct Entry {
        const void* values;
        size_t bytes;
        size_t offset;
    };

    size_t take(size_t bytes);

    cudaStream_t m_stream;
    unsigned char* m_host = nullptr;
    unsigned char* m_device = nullptr;
    size_t m_next = 0;
    std::deque<Entry> m_recent;
};

}  // namespace wb::kernels::cuda
