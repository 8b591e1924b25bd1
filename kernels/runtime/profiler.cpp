// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/profiler.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::kernels {
namespace {

double secondsBetween(Profiler::Clock::time_point start, Profiler::Clock::time_point end) {
    return std::chrono::duration<double>(end - start).count();
}

}  // namespace

void Profiler::startTrace(size_t maxEvents) {
    m_maxTraceEvents = maxEvents;
    m_trace.clear();
    m_isEnabled = true;
}

void Profiler::record(std::string_view name, std::string_view backend, std::string_view reason, Clock::time_point start,
                      Clock::time_point end, OpCost cost) {
    KernelSummary& sum = m_summaries[{std::string(name), std::string(backend)}];
    if (sum.calls == 0) {
        sum.name = name;
        sum.backend = backend;
        sum.reason = reason;
    }
    const double seconds = secondsBetween(start, end);
    ++sum.calls;
    sum.seconds += seconds;
    sum.flops += cost.flops;
    sum.bytes += cost.bytes;
    if (m_trace.size() < m_maxTraceEvents) {
        m_trace.push_back({std::string(name), std::string(backend), secondsBetween(m_origin, start), seconds});
    }
}

std::vector<KernelSummary> Profiler::summary() const {
    std::vector<KernelSummary> rows;
    rows.reserve(m_summaries.size());
    for (const auto& [key, row] : m_summaries) rows.push_back(row);
    std::ranges::stable_sort(rows, std::ranges::greater{}, &KernelSummary::seconds);
    return rows;
}

double Profiler::totalSeconds() const {
    double seconds = 0;
    for (const auto& [key, row] : m_summaries) seconds += row.seconds;
    return seconds;
}

void Profiler::reset() {
    m_summaries.clear();
    m_trace.clear();
    m_origin = Clock::now();
}

std::string Profiler::chromeTrace() const {
    std::string json = "{\"traceEvents\":[";
    for (size_t i = 0; i < m_trace.size(); ++i) {
        const TraceEvent& event = m_trace[i];
        json += fmt::format(
            "{}{{\"name\":\"{}\",\"cat\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.3f},\"dur\":{:.3f}}}",
            i == 0 ? "" : ",", event.name, event.backend, event.startSeconds * 1e6, event.seconds * 1e6);
    }
    return json + "]}";
}

}  // namespace wb::kernels
