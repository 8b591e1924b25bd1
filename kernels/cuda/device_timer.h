// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/stream.h"
#include "kernels/runtime/profiler.h"

#include <vector>

namespace wb::kernels::cuda {

// Marks are events of the stream; they are kept and used again.
class EventTimer final : public DeviceTimer {
public:
    explicit EventTimer(Stream& stream);
    ~EventTimer() override;

    Mark mark() override;
    double secondsAt(Mark mark) override;
    void clear() override { m_used = 0; }

private:
    cudaEvent_t makeEvent();

    Stream& m_stream;
    cudaEvent_t m_origin;
    std::vector<cudaEvent_t> m_events;
    size_t m_used = 0;
};

}  // namespace wb::kernels::cuda
