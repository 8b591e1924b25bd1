// SPDX-License-Identifier: Apache-2.0
#include "app/engine/measurement.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <vector>

#include "kernels/base/error.h"

namespace wb::app {
namespace {

double secondsOf(const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

double median(std::span<const double> values) {
    WB_CHECK(!values.empty(), "a median needs a value");
    std::vector<double> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    const size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle]);
}

double relativeSpread(std::span<const double> values) {
    const auto [least, most] = std::ranges::minmax(values);
    return (most - least) / median(values);
}

double medianSeconds(int repeats, double mostSeconds, const std::function<void()>& body) {
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    body();
    std::vector<double> seconds;
    const auto begin = Clock::now();
    for (int i = 0; i < std::max(1, repeats); ++i) {
        if (i > 0 && since(begin) > mostSeconds) break;
        const auto start = Clock::now();
        body();
        seconds.push_back(since(start));
    }
    return median(seconds);
}

CpuTimes readCpuTimes() {
    // proc(5): "cpu user nice system idle iowait irq softirq steal", in clock ticks. Guests are part of user.
    std::ifstream file("/proc/stat");
    std::string name;
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softIrq = 0, stolen = 0;
    if (!(file >> name >> user >> nice >> system >> idle >> waiting >> irq >> softIrq >> stolen) || name != "cpu") {
        throw Error{ErrorCode::Io, "/proc/stat: no line 'cpu'; what other programs use cannot be measured here"};
    }
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    CpuTimes times;
    times.busy = (user + nice + system + irq + softIrq + stolen) / ticks;
    times.total = times.busy + (idle + waiting) / ticks;
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    times.own = secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime);
    return times;
}

double foreignCpuShare(const CpuTimes& before, const CpuTimes& after) {
    const double total = after.total - before.total;
    if (total <= 0) return 0;
    const double foreign = (after.busy - before.busy) - (after.own - before.own);
    return std::clamp(foreign / total, 0.0, 1.0);
}

Verdict judge(std::span<const double> repeats, double foreignCpu) {
    if (foreignCpu > kAllowedForeignCpu) {
        return {false, fmt::format("other programs used {:.1f} % of the processor time, more than {:.0f} %",
                                   100 * foreignCpu, 100 * kAllowedForeignCpu)};
    }
    if (const double spread = relativeSpread(repeats); !(spread <= kAllowedSpread)) {
        return {false,
                fmt::format("repeats disagree by {:.1f} %, more than {:.0f} %", 100 * spread, 100 * kAllowedSpread)};
    }
    return {};
}

int64_t peakResidentBytes() {
    std::ifstream file("/proc/self/status");
    std::string line;
    while (std::getline(file, line)) {
        constexpr std::string_view kKey = "VmHWM:";
        if (line.starts_with(kKey)) return std::stoll(line.substr(kKey.size())) * 1024;
    }
    return 0;
}

void resetPeakResident() {
    std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): resets VmHWM
}

}  // namespace wb::app
