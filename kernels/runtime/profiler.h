// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
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

// Collects what each op call cost. Off by default, when a call costs one branch. Engine thread only.
class Profiler {
public:
    using Clock = std::chrono::steady_clock;

    bool isEnabled() const { return m_isEnabled; }
    void setEnabled(bool isEnabled) { m_isEnabled = isEnabled; }
    // Keeps single calls as well (Chrome trace); at most `maxEvents`, later ones are counted but not kept.
    void startTrace(size_t maxEvents);

    void record(std::string_view name, std::string_view backend, std::string_view reason, Clock::time_point start,
                Clock::time_point end, OpCost cost);

    // Sorted by time, longest first.
    std::vector<KernelSummary> summary() const;
    // Seconds inside ops since the last reset.
    double totalSeconds() const;
    void reset();
    // {"traceEvents": [...]} as chrome://tracing and Perfetto read it.
    std::string chromeTrace() const;

private:
    bool m_isEnabled = false;
    size_t m_maxTraceEvents = 0;
    Clock::time_point m_origin = Clock::now();
    std::map<std::pair<std::string, std::string>, KernelSummary, std::less<>> m_summaries;
    std::vector<TraceEvent> m_trace;
};

}  // namespace wb::kernels
