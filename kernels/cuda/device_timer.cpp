// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device_timer.h"

namespace wb::kernels::cuda {

EventTimer::EventTimer(Stream& stream) : m_stream(stream), m_origin(makeEvent()) {
    check(cudaEventRecord(m_origin, m_stream.handle()), "recording an event");
}

EventTimer::~EventTimer() {
    for (const cudaEvent_t event : m_events) cudaEventDestroy(event);
    cudaEventDestroy(m_origin);
}

cudaEvent_t EventTimer::makeEvent() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "making an event");
    return event;
}

DeviceTimer::Mark EventTimer::mark() {
    if (m_used == m_events.size()) m_events.push_back(makeEvent());
    check(cudaEventRecord(m_events[m_used], m_stream.handle()), "recording an event");
    return static_cast<Mark>(m_used++);
}

double EventTimer::secondsAt(Mark mark) {
    const cudaEvent_t event = m_events[static_cast<size_t>(mark)];
    check(cudaEventSynchronize(event), "waiting for an event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, m_origin, event), "reading an event");
    return milliseconds * 1e-3;
}

}  // namespace wb::kernels::cuda
