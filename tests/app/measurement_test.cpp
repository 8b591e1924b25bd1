// SPDX-License-Identifier: Apache-2.0
// When a timing may be quoted, on made-up samples.
#include "app/engine/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace wb::app {
namespace {

using testing::HasSubstr;

TEST(Measurement, medianIsTheMiddleWhateverTheOrder) {
    EXPECT_EQ(median(std::vector{3.0}), 3.0);
    EXPECT_EQ(median(std::vector{9.0, 1.0, 2.0}), 2.0);
    EXPECT_EQ(median(std::vector{4.0, 1.0, 2.0, 100.0}), 3.0);
}

TEST(Measurement, spreadIsRelativeToTheMedian) {
    EXPECT_EQ(relativeSpread(std::vector{5.0}), 0.0);
    EXPECT_DOUBLE_EQ(relativeSpread(std::vector{95.0, 100.0, 103.0}), 0.08);
}

TEST(Measurement, foreignShareIsWhatOthersUsedOfAllCores) {
    const CpuTimes before{.busy = 100, .total = 1000, .own = 40};
    // 20 s on two cores of ten seconds: this process used 12, others 4.
    const CpuTimes after{.busy = 116, .total = 1020, .own = 52};
    EXPECT_DOUBLE_EQ(foreignCpuShare(before, after), 0.2);
    // Clocks of different grain may say that this process used more than all did.
    EXPECT_EQ(foreignCpuShare(before, {.busy = 110, .total = 1020, .own = 51}), 0.0);
    EXPECT_EQ(foreignCpuShare(before, before), 0.0);
}

TEST(Measurement, calmRepeatsThatAgreeAreValid) {
    const Verdict verdict = judge(std::vector{100.0, 102.0, 98.0, 101.0, 100.0}, 0.02);
    EXPECT_TRUE(verdict.isValid);
    EXPECT_TRUE(verdict.why.empty());
    EXPECT_TRUE(judge(std::vector{100.0}, 0.0).isValid);
}

TEST(Measurement, aTimingBesideOtherProgramsIsNotValid) {
    const Verdict verdict = judge(std::vector{100.0, 100.0, 100.0}, 0.12);
    EXPECT_FALSE(verdict.isValid);
    EXPECT_THAT(verdict.why, HasSubstr("12.0 %"));
}

TEST(Measurement, repeatsThatDisagreeAreNotValid) {
    const Verdict verdict = judge(std::vector{100.0, 100.0, 93.0}, 0.0);
    EXPECT_FALSE(verdict.isValid);
    EXPECT_THAT(verdict.why, HasSubstr("7.0 %"));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_FALSE(judge(std::vector{nan, nan}, 0.0).isValid);
}

TEST(Measurement, theSystemIsRead) {
    const CpuTimes times = readCpuTimes();
    EXPECT_GT(times.busy, 0);
    EXPECT_GE(times.total, times.busy);
    EXPECT_GT(times.own, 0);
    EXPECT_GT(peakResidentBytes(), 1 << 20);
}

}  // namespace
}  // namespace wb::app
