// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/stream.h"
#include "kernels/runtime/profiler.h"

#include <vector>

namespace wb::kernels::cuda {

// Marks are events of the stream; they are kept and used again. CUDA tells the time between two events in single
// precision: marks are timed from the last clear(), which is itself timed from the one before.
class EventTimer final : public DeviceTimer {
public:
    explicit EventTimer(Stream& stream);
    ~EventTimer() override;
    EventTimer(const EventTimer&) = delete;
    EventTimer& operator=(const EventTimer&) = delete;

    Mark mark() override;
    double secondsAt(Mark mark) override;
    void clear() override;

private:
    static cudaEvent_t makeEvent();
    static double secondsBetween(cudaEvent_t start, cudaEvent_t end);
    void timeOrigin();

    Stream& m_stream;
    std::vector<cudaEvent_t> m_events;
    size_t m_used = 0;
    cudaEvent_t m_origin;          // the last clear()
    cudaEvent_t m_previousOrigin;  // the one before
    bool m_isOriginTimed = true;
    double m_originSeconds = 0;
};

}  // namespace wb::kernels::cuda
