// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device_timer.h"

namespace wb::kernels::cuda {

EventTimer::EventTimer(Stream& stream) : m_stream(stream), m_origin(record()) {}

EventTimer::~EventTimer() {
    for (const cudaEvent_t event : m_events) cudaEventDestroy(event);
    for (const cudaEvent_t event : m_spare) cudaEventDestroy(event);
    cudaEventDestroy(m_origin);
}

cudaEvent_t EventTimer::record() {
    cudaEvent_t event = nullptr;
    if (m_spare.empty()) {
        check(cudaEventCreate(&event), "making an event");
    } else {
        event = m_spare.back();
        m_spare.pop_back();
    }
    check(cudaEventRecord(event, m_stream.handle()), "recording an event");
    return event;
}

DeviceTimer::Mark EventTimer::mark() {
    m_events.push_back(record());
    return m_first + static_cast<Mark>(m_events.size()) - 1;
}

bool EventTimer::isReached(Mark mark) {
    const cudaError_t status = cudaEventQuery(eventOf(mark));
    if (status == cudaErrorNotReady) return false;
    check(status, "asking for an event");
    return true;
}

double EventTimer::secondsFrom(cudaEvent_t start, cudaEvent_t end) {
    check(cudaEventSynchronize(end), "waiting for an event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start, end), "reading an event");
    return static_cast<double>(milliseconds) * 1e-3;
}

double EventTimer::secondsBetween(Mark start, Mark end) {
    return secondsFrom(eventOf(start), eventOf(end));
}

double EventTimer::secondsAt(Mark mark) {
    return secondsFrom(m_origin, eventOf(mark));
}

void EventTimer::forgetBefore(Mark mark) {
    while (m_first < mark && !m_events.empty()) {
        m_spare.push_back(m_events.front());
        m_events.pop_front();
        ++m_first;
    }
}

void EventTimer::restart() {
    forgetBefore(m_first + static_cast<Mark>(m_events.size()));
    m_spare.push_back(m_origin);
    m_origin = record();
}

}  // namespace wb::kernels::cuda
