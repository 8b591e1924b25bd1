// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/stream.h"
#include "kernels/runtime/host_read.h"

namespace wb::kernels::cuda {

// Through page-locked memory; an event says when it has arrived.
class DeviceRead final : public HostRead {
public:
    DeviceRead(Stream& stream, size_t capacity);
    ~DeviceRead() override;
    DeviceRead(const DeviceRead&) = delete;
    DeviceRead& operator=(const DeviceRead&) = delete;

    void start(const void* source, size_t bytes) override;
    const void* wait() override;

private:
    Stream& m_stream;
    void* m_host = nullptr;
    cudaEvent_t m_arrived = nullptr;
};

}  // namespace wb::kernels::cuda
