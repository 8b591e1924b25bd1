// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/philox.h"

#include <gtest/gtest.h>
#include <cmath>

namespace wb {
namespace {

// Known answers of the authors' library (Random123 1.14, kat_vectors, philox4x32 with 10 rounds).
TEST(Philox, knownAnswers) {
    EXPECT_EQ(philoxBlock(PhiloxBlock{0, 0, 0, 0}, {0, 0}),
              (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philoxBlock(PhiloxBlock{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philoxBlock(PhiloxBlock{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, wordsComeFromTheirBlock) {
    const uint64_t seed = 0x123456789abcdef0;
    for (uint64_t draw = (uint64_t{1} << 34) - 3; draw < (uint64_t{1} << 34) + 9; ++draw) {
        EXPECT_EQ(philoxWord(seed, draw, 7), philoxBlock(seed, draw / 4, 7)[draw % 4]);
    }
    EXPECT_NE(philoxWord(seed, 5, 0), philoxWord(seed, 5, 1));
    EXPECT_NE(philoxWord(seed, 5), philoxWord(seed + 1, 5));
}

TEST(Philox, unitNumbersAreUniformAndBelowOne) {
    EXPECT_EQ(philoxUnit(0), 0.0F);
    EXPECT_LT(philoxUnit(0xffffffff), 1.0F);
    constexpr int kCount = 200000;
    double sum = 0;
    double squares = 0;
    for (uint64_t i = 0; i < kCount; ++i) {
        const auto u = static_cast<double>(philoxUnit(philoxWord(1, i)));
        sum += u;
        squares += u * u;
    }
    // Five standard errors of the mean (0.289 / sqrt n) and of the mean square (0.298 / sqrt n).
    const double bound = 5 * 0.3 / std::sqrt(static_cast<double>(kCount));
    EXPECT_NEAR(sum / kCount, 0.5, bound);
    EXPECT_NEAR(squares / kCount, 1.0 / 3.0, bound);
}

}  // namespace
}  // namespace wb
