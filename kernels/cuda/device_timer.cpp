// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device_timer.h"

#include <utility>

namespace wb::kernels::cuda {

EventTimer::EventTimer(Stream& stream) : m_stream(stream), m_origin(makeEvent()), m_previousOrigin(makeEvent()) {
    check(cudaEventRecord(m_origin, m_stream.handle()), "recording an event");
}

EventTimer::~EventTimer() {
    for (const cudaEvent_t event : m_events) cudaEventDestroy(event);
    cudaEventDestroy(m_origin);
    cudaEventDestroy(m_previousOrigin);
}

cudaEvent_t EventTimer::makeEvent() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "making an event");
    return event;
}

double EventTimer::secondsBetween(cudaEvent_t start, cudaEvent_t end) {
    check(cudaEventSynchronize(end), "waiting for an event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start, end), "reading an event");
    return static_cast<double>(milliseconds) * 1e-3;
}

DeviceTimer::Mark EventTimer::mark() {
    if (m_used == m_events.size()) m_events.push_back(makeEvent());
    check(cudaEventRecord(m_events[m_used], m_stream.handle()), "recording an event");
    return static_cast<Mark>(m_used++);
}

void EventTimer::timeOrigin() {
    if (!m_isOriginTimed) m_originSeconds += secondsBetween(m_previousOrigin, m_origin);
    m_isOriginTimed = true;
}

double EventTimer::secondsAt(Mark mark) {
    timeOrigin();
    return m_originSeconds + secondsBetween(m_origin, m_events[static_cast<size_t>(mark)]);
}

void EventTimer::clear() {
    timeOrigin();
    m_used = 0;
    std::swap(m_origin, m_previousOrigin);
    check(cudaEventRecord(m_origin, m_stream.handle()), "recording an event");
    m_isOriginTimed = false;
}

}  // namespace wb::kernels::cuda
