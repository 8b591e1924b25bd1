// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/stream.h"
#include "kernels/runtime/profiler.h"

#include <deque>
#include <vector>

namespace wb::kernels::cuda {

// Marks are events of the stream; forgotten ones are used again.
class EventTimer final : public DeviceTimer {
public:
    explicit EventTimer(Stream& stream);
    ~EventTimer() override;
    EventTimer(const EventTimer&) = delete;
    EventTimer& operator=(const EventTimer&) = delete;

    Mark mark() override;
    bool isReached(Mark mark) override;
    double secondsBetween(Mark start, Mark end) override;
    double secondsAt(Mark mark) override;
    void forgetBefore(Mark mark) override;
    void restart() override;

private:
    cudaEvent_t eventOf(Mark mark) const { return m_events[static_cast<size_t>(mark - m_first)]; }
    cudaEvent_t record();
    static double secondsFrom(cudaEvent_t start, cudaEvent_t end);

    Stream& m_stream;
    cudaEvent_t m_origin = nullptr;
    Mark m_first = 0;  // the mark of m_events.front()
    std::deque<cudaEvent_t> m_events;
    std::vector<cudaEvent_t> m_spare;
};

}  // namespace wb::kernels::cuda
