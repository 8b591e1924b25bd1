// SPDX-License-Identifier: Apache-2.0
#include "training/schedules/schedules.h"

#include <gtest/gtest.h>
#include <cmath>
#include <numbers>

namespace wb::training {
namespace {

using core::ScheduleKind;

TEST(Schedules, warmUpRisesInEqualStepsToThePeak) {
    for (const ScheduleKind kind : {ScheduleKind::Cosine, ScheduleKind::Linear, ScheduleKind::Constant}) {
        const ScheduleOptions options{.kind = kind, .peak = 4e-4, .warmupRatio = 0.1, .totalSteps = 80};
        for (int64_t step = 1; step <= 8; ++step) {
            EXPECT_DOUBLE_EQ(learningRateAt(options, step), 4e-4 * static_cast<double>(step) / 8);
        }
        EXPECT_DOUBLE_EQ(learningRateAt(options, 9), 4e-4) << "the first step after the warm-up has the full rate";
    }
}

TEST(Schedules, cosineFollowsHalfAPeriod) {
    const ScheduleOptions options{.kind = ScheduleKind::Cosine, .peak = 1.0, .minRatio = 0.0, .totalSteps = 101};
    for (int64_t step = 1; step <= 101; ++step) {
        const double progress = static_cast<double>(step - 1) / 100;
        EXPECT_NEAR(learningRateAt(options, step), 0.5 + 0.5 * std::cos(std::numbers::pi * progress), 1e-15);
    }
    EXPECT_DOUBLE_EQ(learningRateAt(options, 51), 0.5);
    EXPECT_NEAR(learningRateAt(options, 101), 0.0, 1e-16);
}

TEST(Schedules, linearFallsInEqualSteps) {
    const ScheduleOptions options{
        .kind = ScheduleKind::Linear, .peak = 2.0, .warmupRatio = 0.2, .minRatio = 0.0, .totalSteps = 26};
    // Six steps of warm-up (20 % of 26, rounded up), twenty that fall from 2 to 0.
    for (int64_t step = 7; step <= 26; ++step) {
        EXPECT_NEAR(learningRateAt(options, step), 2.0 * (1.0 - static_cast<double>(step - 7) / 19), 1e-15);
    }
}

TEST(Schedules, constantStays) {
    const ScheduleOptions options{
        .kind = ScheduleKind::Constant, .peak = 3e-5, .warmupRatio = 0.5, .minRatio = 0.1, .totalSteps = 10};
    for (int64_t step = 5; step <= 10; ++step) EXPECT_DOUBLE_EQ(learningRateAt(options, step), 3e-5);
}

TEST(Schedules, endsAtTheMinimumShare) {
    for (const ScheduleKind kind : {ScheduleKind::Cosine, ScheduleKind::Linear}) {
        const ScheduleOptions options{
            .kind = kind, .peak = 1e-3, .warmupRatio = 0.05, .minRatio = 0.1, .totalSteps = 40};
        EXPECT_NEAR(learningRateAt(options, 40), 1e-4, 1e-18);
        EXPECT_NEAR(learningRateAt(options, 41), 1e-4, 1e-18) << "and stays there";
        for (int64_t step = 3; step <= 40; ++step) {
            EXPECT_LE(learningRateAt(options, step), learningRateAt(options, step - 1)) << step;
        }
    }
}

TEST(Schedules, shortRunsHaveFiniteRates) {
    for (const ScheduleKind kind : {ScheduleKind::Cosine, ScheduleKind::Linear, ScheduleKind::Constant}) {
        for (const double warmup : {0.0, 0.05, 0.5, 1.0}) {
            for (int64_t total = 1; total <= 5; ++total) {
                const ScheduleOptions options{
                    .kind = kind, .peak = 1.0, .warmupRatio = warmup, .minRatio = 0.0, .totalSteps = total};
                double highest = 0;
                for (int64_t step = 1; step <= total; ++step) {
                    const double rate = learningRateAt(options, step);
                    EXPECT_TRUE(rate >= 0 && rate <= 1.0) << rate;
                    highest = std::max(highest, rate);
                }
                EXPECT_DOUBLE_EQ(highest, 1.0) << "the peak is reached, " << total << " steps, warm-up " << warmup;
            }
        }
    }
}

}  // namespace
}  // namespace wb::training
