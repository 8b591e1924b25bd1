// SPDX-License-Identifier: Apache-2.0
#include "training/schedules/schedules.h"

#include "kernels/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wb::training {
namespace {

struct Schedule {
    core::ScheduleKind kind;
    double (*factor)(double progress);
};

constexpr std::array kSchedules{
    Schedule{core::ScheduleKind::Cosine, cosineFactor},
    Schedule{core::ScheduleKind::Linear, linearFactor},
    Schedule{core::ScheduleKind::Constant, constantFactor},
};

}  // namespace

double learningRateAt(const ScheduleOptions& options, int64_t step) {
    const auto warmupSteps =
        static_cast<int64_t>(std::ceil(options.warmupRatio * static_cast<double>(options.totalSteps)));
    if (step <= warmupSteps) return options.peak * static_cast<double>(step) / static_cast<double>(warmupSteps);
    const auto remaining = static_cast<double>(std::max<int64_t>(options.totalSteps - warmupSteps - 1, 1));
    const double progress = std::min(1.0, static_cast<double>(step - warmupSteps - 1) / remaining);
    const auto schedule = std::ranges::find(kSchedules, options.kind, &Schedule::kind);
    WB_CHECK(schedule != kSchedules.end(), "every schedule kind has a row");
    return options.peak * (options.minRatio + (1.0 - options.minRatio) * schedule->factor(progress));
}

}  // namespace wb::training
