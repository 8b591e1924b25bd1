// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/graph_recording.h"

#include <cstring>

namespace wb::kernels::cuda {

GraphRecording::GraphRecording(Stream& stream) : m_stream(stream) {
    void* pointer = nullptr;
    check(cudaHostAlloc(&pointer, kBytes, cudaHostAllocDefault), "page-locking host memory");
    m_host = static_cast<unsigned char*>(pointer);
    check(cudaMalloc(&pointer, kBytes), "taking memory for host arrays");
    m_device = static_cast<unsigned char*>(pointer);
    check(cudaEventCreateWithFlags(&m_done, cudaEventDisableTiming), "making an event");
}

GraphRecording::~GraphRecording() {
    if (m_stream.recording() == this) abandon();
    cudaEventSynchronize(m_done);
    if (m_graph != nullptr) cudaGraphExecDestroy(m_graph);
    cudaEventDestroy(m_done);
    cudaFree(m_device);
    cudaFreeHost(m_host);
}

// Relaxed: allocations of the step are no part of it, and other threads may use the device.
void GraphRecording::begin(std::span<const HostArray> changing) {
    m_changing.assign(changing.begin(), changing.end());
    check(cudaStreamBeginCapture(m_stream.handle(), cudaStreamCaptureModeRelaxed), "recording a step");
    m_stream.setRecording(this);
}

void GraphRecording::end() {
    m_stream.setRecording(nullptr);
    cudaGraph_t graph = nullptr;
    const cudaError_t recorded = cudaStreamEndCapture(m_stream.handle(), &graph);
    if (recorded != cudaSuccess) cudaGetLastError();  // answered here; later checks must not see it
    check(recorded, "recording a step");
    const cudaError_t status = cudaGraphInstantiate(&m_graph, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "preparing a recorded step");
}

void GraphRecording::abandon() noexcept {
    m_stream.setRecording(nullptr);
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(m_stream.handle(), &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();  // the failure is answered; later checks must not see it
}

void GraphRecording::run() {
    check(cudaEventSynchronize(m_done), "waiting for a recorded step");
    for (const Slot& slot : m_slots) {
        if (slot.isChanging) std::memcpy(m_host + slot.offset, slot.source, slot.bytes);
    }
    check(cudaGraphLaunch(m_graph, m_stream.handle()), "starting a recorded step");
    check(cudaEventRecord(m_done, m_stream.handle()), "recording an event");
}

bool GraphRecording::isChanging(const void* values, size_t bytes) const {
    const auto* begin = static_cast<const unsigned char*>(values);
    for (const HostArray& array : m_changing) {
        const auto* start = static_cast<const unsigned char*>(array.data);
        if (begin >= start && begin + bytes <= start + array.bytes) return true;
    }
    return false;
}

GraphRecording::Slot& GraphRecording::slotOf(const void* values, size_t bytes) {
    constexpr size_t kAlignment = 256;
    for (Slot& slot : m_slots) {
        if (slot.source == values && slot.bytes == bytes &&
            (slot.isChanging || std::memcmp(m_host + slot.offset, values, bytes) == 0))
            return slot;
    }
    const size_t whole = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (m_used + whole > kBytes) {
        throw Error{ErrorCode::Unsupported,
                    "a recorded step reads more than " + std::to_string(kBytes) + " bytes of host arrays"};
    }
    std::memcpy(m_host + m_used, values, bytes);
    m_slots.push_back({values, bytes, m_used, isChanging(values, bytes), false});
    m_used += whole;
    return m_slots.back();
}

const void* GraphRecording::upload(const void* values, size_t bytes) {
    if (bytes == 0) return m_device;
    Slot& slot = slotOf(values, bytes);
    if (!slot.isOnDevice) copy(m_device + slot.offset, values, bytes);
    slot.isOnDevice = true;
    return m_device + slot.offset;
}

void GraphRecording::copy(void* target, const void* source, size_t bytes) {
    if (bytes == 0) return;
    const Slot& slot = slotOf(source, bytes);
    check(cudaMemcpyAsync(target, m_host + slot.offset, bytes, cudaMemcpyHostToDevice, m_stream.handle()),
          "copying a host array");
}

}  // namespace wb::kernels::cuda
