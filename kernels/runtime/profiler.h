// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wb::kernels {

// Arithmetic and memory traffic of one op call, from its shapes: the floor that its time is compared with.
struct OpCost {
    double flops = 0;
    double bytes = 0;
};

// Sums over all calls of one op on one backend.
struct KernelSummary {
    std::string name;
    std::string backend;  // "cpu", "flash", "math", ...
    std::string reason;   // why this backend was chosen; empty where there is no choice
    int64_t calls = 0;
    double seconds = 0;
    double flops = 0;
    double bytes = 0;
};

// One call, kept only while a trace is being taken.
struct TraceEvent {
    std::string name;
    std::string backend;
    double startSeconds = 0;  // since the profiler was made
    double seconds = 0;
};

// Times ops of a device that works behind the host: marks among its work, read later.
class DeviceTimer {
public:
    using Mark = int64_t;

    virtual ~DeviceTimer() = default;
    // A mark behind everything given to the device so far.
    virtual Mark mark() = 0;
    // Seconds from the making of the timer to a mark; waits for the device.
    virtual double secondsAt(Mark mark) = 0;
    // Forgets all marks.
    virtual void clear() = 0;
};

// Collects what each op call cost. Off by default, when a call costs one branch. Engine thread only.
class Profiler {
public:
    using Clock = std::chrono::steady_clock;

    bool isEnabled() const { return m_isEnabled; }
    void setEnabled(bool isEnabled) { m_isEnabled = isEnabled; }
    // Keeps single calls as well (Chrome trace); at most `maxEvents`, later ones are counted but not kept.
    void startTrace(size_t maxEvents);

    // Calls are then timed by the device's clock instead of the host's.
    void setDeviceTimer(std::unique_ptr<DeviceTimer> timer) { m_timer = std::move(timer); }

    struct Start {
        Clock::time_point time;
        DeviceTimer::Mark mark = 0;
    };
    // Around one call.
    Start begin();
    void end(const Start& start, std::string_view name, std::string_view backend, std::string_view reason, OpCost cost);

    void record(std::string_view name, std::string_view backend, std::string_view reason, Clock::time_point start,
                Clock::time_point end, OpCost cost);

    // Sorted by time, longest first. Waits for a device with its own timer, as the next two do.
    std::vector<KernelSummary> summary();
    // Seconds inside ops since the last reset.
    double totalSeconds();
    // {"traceEvents": [...]} as chrome://tracing and Perfetto read it.
    std::string chromeTrace();
    void reset();

private:
    // A call of which the device's times are not read yet.
    struct Pending {
        KernelSummary* summary;
        DeviceTimer::Mark start;
        DeviceTimer::Mark end;
    };

    KernelSummary& summaryOf(std::string_view name, std::string_view backend, std::string_view reason);
    void add(KernelSummary& summary, double startSeconds, double seconds);
    void readDeviceTimes();

    bool m_isEnabled = false;
    size_t m_maxTraceEvents = 0;
    Clock::time_point m_origin = Clock::now();
    std::map<std::pair<std::string, std::string>, KernelSummary, std::less<>> m_summaries;
    std::vector<TraceEvent> m_trace;
    std::unique_ptr<DeviceTimer> m_timer;
    std::vector<Pending> m_pending;
};

}  // namespace wb::kernels
