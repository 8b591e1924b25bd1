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
    if (sum.name.empty()) {
        sum.name = name;
        sum.backend = backend;
        sum.reason = reason;
    }
    return sum;
}

void Profiler::add(KernelSummary& summary, OpCost cost, double startSeconds, double seconds) {
    ++summary.calls;
    summary.flops += cost.flops;
    summary.bytes += cost.bytes;
    summary.seconds += seconds;
    if (m_trace.size() < m_maxTraceEvents) m_trace.push_back({summary.name, summary.backend, startSeconds, seconds});
}

Profiler::Start Profiler::begin() {
    return {Clock::now(), m_timer ? m_timer->mark() : 0};
}

void Profiler::end(const Start& start, std::string_view name, std::string_view backend, std::string_view reason,
                   OpCost cost) {
    if (!m_timer) return record(name, backend, reason, start.time, Clock::now(), cost);
    m_pending.push_back({&summaryOf(name, backend, reason), cost, start.mark, m_timer->mark()});
}

void Profiler::record(std::string_view name, std::string_view backend, std::string_view reason, Clock::time_point start,
                      Clock::time_point end, OpCost cost) {
    add(summaryOf(name, backend, reason), cost, secondsBetween(m_origin, start), secondsBetween(start, end));
}

void Profiler::readDeviceTimes(Waits waits) {
    while (!m_pending.empty()) {
        const Pending& call = m_pending.front();
        if (waits == Waits::No && !m_timer->isReached(call.end)) return;
        // Only a trace asks when a call began: from a distant origin its time would be coarse.
        const double start = m_trace.size() < m_maxTraceEvents ? m_timer->secondsAt(call.start) : 0.0;
        add(*call.summary, call.cost, start, m_timer->secondsBetween(call.start, call.end));
        m_timer->forgetBefore(call.end + 1);
        m_pending.pop_front();
    }
}

std::vector<KernelSummary> Profiler::summary() {
    readDeviceTimes(Waits::Yes);
    return sortedRows();
}

std::vector<KernelSummary> Profiler::summarySoFar() {
    readDeviceTimes(Waits::No);
    return sortedRows();
}

std::vector<KernelSummary> Profiler::sortedRows() const {
    std::vector<KernelSummary> rows;
    rows.reserve(m_summaries.size());
    for (const auto& [key, row] : m_summaries) {
        if (row.calls > 0) rows.push_back(row);
    }
    std::ranges::stable_sort(rows, std::ranges::greater{}, &KernelSummary::seconds);
    return rows;
}

double Profiler::totalSeconds() {
    readDeviceTimes(Waits::Yes);
    double seconds = 0;
    for (const auto& [key, row] : m_summaries) seconds += row.seconds;
    return seconds;
}

void Profiler::reset() {
    m_pending.clear();
    if (m_timer) m_timer->restart();
    m_summaries.clear();
    m_trace.clear();
    m_origin = Clock::now();
}

std::string Profiler::chromeTrace() {
    readDeviceTimes(Waits::Yes);
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
