// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/host_read.h"

namespace wb::kernels::cuda {

DeviceRead::DeviceRead(Stream& stream, size_t capacity) : m_stream(stream) {
    check(cudaEventCreateWithFlags(&m_arrived, cudaEventDisableTiming), "making an event");
    check(cudaHostAlloc(&m_host, capacity, cudaHostAllocDefault), "page-locking host memory");
}

DeviceRead::~DeviceRead() {
    cudaEventSynchronize(m_arrived);  // the copy may still be on its way into the memory
    cudaFreeHost(m_host);
    cudaEventDestroy(m_arrived);
}

void DeviceRead::start(const void* source, size_t bytes) {
    check(cudaMemcpyAsync(m_host, source, bytes, cudaMemcpyDeviceToHost, m_stream.handle()), "copying from the device");
    check(cudaEventRecord(m_arrived, m_stream.handle()), "recording an event");
}

const void* DeviceRead::wait() {
    check(cudaEventSynchronize(m_arrived), "waiting for a copy");
    return m_host;
}

}  // namespace wb::kernels::cuda
