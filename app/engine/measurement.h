// SPDX-License-Identifier: Apache-2.0
// What makes a timing worth quoting: medians, how far repeats disagree, and who else used the processor meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace wb::app {

// Repeats may differ by this much of their median, and other programs may use this much of the machine's time, before a
// timing counts as disturbed.
inline constexpr double kAllowedSpread = 0.05;
inline constexpr double kAllowedForeignCpu = 0.03;

// The middle value, the mean of the middle two for an even count. `values` has at least one.
double median(std::span<const double> values);

// (largest - smallest) / median.
double relativeSpread(std::span<const double> values);

// Median time of a call after one that warms up; no further call begins once `mostSeconds` have passed.
double medianSeconds(int repeats, double mostSeconds, const std::function<void()>& body);

// Processor seconds since the machine started, summed over its cores.
struct CpuTimes {
    double busy = 0;   // all programs and the kernel; stolen time of a virtual machine counts, too
    double total = 0;  // busy and idle
    double own = 0;    // of this process
};

// Reads /proc/stat. Throws Io if the system has none.
CpuTimes readCpuTimes();

// Share of the machine's processor time that other programs used between two readings, 0 to 1.
double foreignCpuShare(const CpuTimes& before, const CpuTimes& after);

struct Verdict {
    bool isValid = true;
    std::string why;  // empty if valid
};

// Whether repeats of one timing may be quoted.
Verdict judge(std::span<const double> repeats, double foreignCpu);

// Largest resident memory of this process since the last reset, bytes; 0 where the system does not tell.
int64_t peakResidentBytes();
// Lets the largest resident memory start again from what is resident now, where the system can.
void resetPeakResident();

}  // namespace wb::app
