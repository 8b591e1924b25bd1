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

KernelSummary& Profiler::summaryOf(std::string_view name, std::string_view backend, std::string_view reason) {
    KernelSummary& sum = m_summaries[{std::string(name), std::string(backend)}];
    if (sum.calls == 0) {
        sum.name = name;
        sum.backend = backend;
        sum.reason = reason;
    }
    return sum;
}

void Profiler::add(KernelSummary& summary, double startSeconds, double seconds) {
    summary.seconds += seconds;
    if (m_trace.size() < m_maxTraceEvents) m_trace.push_back({summary.name, summary.backend, startSeconds, seconds});
}

Profiler::Start Profiler::begin() {
    return {Clock::now(), m_timer ? m_timer->mark() : 0};
}

void Profiler::end(const Start& start, std::string_view name, std::string_view backend, std::string_view reason,
                   OpCost cost) {
    if (!m_timer) return record(name, backend, reason, start.time, Clock::now(), cost);
    KernelSummary& sum = summaryOf(name, backend, reason);
    ++sum.calls;
    sum.flops += cost.flops;
    sum.bytes += cost.bytes;
    m_pending.push_back({&sum, start.mark, m_timer->mark()});
}

void Profiler::record(std::string_view name, std::string_view backend, std::string_view reason, Clock::time_point start,
                      Clock::time_point end, OpCost cost) {
    KernelSummary& sum = summaryOf(name, backend, reason);
    ++sum.calls;
    sum.flops += cost.flops;
    sum.bytes += cost.bytes;
    add(sum, secondsBetween(m_origin, start), secondsBetween(start, end));
}

void Profiler::readDeviceTimes() {
    if (m_pending.empty()) return;
    for (const Pending& call : m_pending) {
        const double start = m_timer->secondsAt(call.start);
        add(*call.summary, start, m_timer->secondsAt(call.end) - start);
    }
    m_pending.clear();
    m_timer->clear();
}

std::vector<KernelSummary> Profiler::summary() {
    readDeviceTimes();
    std::vector<KernelSummary> rows;
    rows.reserve(m_summaries.size());
    for (const auto& [key, row] : m_summaries) rows.push_back(row);
    std::ranges::stable_sort(rows, std::ranges::greater{}, &KernelSummary::seconds);
    return rows;
}

double Profiler::totalSeconds() {
    readDeviceTimes();
    double seconds = 0;
    for (const auto& [key, row] : m_summaries) seconds += row.seconds;
    return seconds;
}

void Profiler::reset() {
    m_pending.clear();
    if (m_timer) m_timer->clear();
    m_summaries.clear();
    m_trace.clear();
    m_origin = Clock::now();
}

std::string Profiler::chromeTrace() {
    readDeviceTimes();
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
