// SPDX-License-Identifier: Apache-2.0
#include "kernels/logits.h"

#include "kernels/base/philox.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>
#include <vector>

namespace wb::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> someLogits(size_t count, float spread) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = spread * (philoxUnit(philoxWord(3, i)) - 0.5F);
    return values;
}

double oracle(const std::vector<float>& values) {
    long double sum = 0;
    for (const float value : values) sum += std::exp(static_cast<long double>(value));
    return static_cast<double>(std::log(sum));
}

TEST(Logits, logSumExpAgreesWithTheFormula) {
    for (const size_t count : {1U, 3U, 15U, 16U, 17U, 2047U, 2049U, 49152U, 151937U}) {
        for (const float spread : {0.0F, 1.0F, 40.0F}) {
            const std::vector<float> values = someLogits(count, spread);
            EXPECT_NEAR(logSumExp(values), oracle(values), 1e-6) << count << " values, spread " << spread;
        }
    }
}

TEST(Logits, logSumExpKeepsInfinityAndNan) {
    EXPECT_NEAR(logSumExp(std::vector<float>{-kInfinity, 2.0F, -kInfinity}), 2.0, 1e-7);
    EXPECT_EQ(logSumExp(std::vector<float>(20, -kInfinity)), -kInfinity);
    EXPECT_EQ(logSumExp(std::vector<float>{1.0F, kInfinity}), kInfinity);
    EXPECT_TRUE(std::isnan(logSumExp(std::vector<float>{1.0F, kNan, 2.0F})));
    EXPECT_TRUE(std::isnan(logSumExp(std::vector<float>{kInfinity, kNan})));
    EXPECT_NEAR(logSumExp(std::vector<float>{10000.0F, 10000.0F}), 10000.0 + std::log(2.0), 1e-6);
}

TEST(Logits, highestIndexIsTheFirstOfEquals) {
    for (const size_t count : {1U, 5U, 16U, 33U, 1000U}) {
        for (size_t at = 0; at < count; at += 7) {
            std::vector<float> values = someLogits(count, 1.0F);
            values[at] = 9.0F;
            values.back() = 9.0F;
            EXPECT_EQ(highestIndex(values), at) << count;
        }
    }
}

TEST(Logits, highestIndexIgnoresNan) {
    EXPECT_EQ(highestIndex(std::vector<float>{kNan, 1.0F, kNan, 3.0F}), 3U);
    EXPECT_EQ(highestIndex(std::vector<float>{kNan, kNan}), 0U);
    EXPECT_EQ(highestIndex(std::vector<float>{-kInfinity, -kInfinity}), 0U);
}

}  // namespace
}  // namespace wb::kernels
