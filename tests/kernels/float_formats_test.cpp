// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/float_formats.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace wb {
namespace {

// What the bits of a half mean, straight from the definition.
double halfValue(uint16_t bits) {
    const int exponent = (bits >> 10) & 0x1f;
    const int fraction = bits & 0x3ff;
    const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == 31) return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
    if (exponent == 0) return sign * std::ldexp(fraction, -24);
    return sign * std::ldexp(1024 + fraction, exponent - 25);
}

template <class T>
T fromBits(uint16_t bits) {
    T value;
    value.bits = bits;
    return value;
}

TEST(Float16, everyValueWidensAndComesBack) {
    for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
        const auto half = fromBits<Float16>(static_cast<uint16_t>(bits));
        const float wide = static_cast<float>(half);
        const double expected = halfValue(half.bits);
        if (std::isnan(expected)) {
            EXPECT_TRUE(std::isnan(wide)) << bits;
            EXPECT_TRUE(std::isnan(static_cast<float>(Float16(wide)))) << bits;
            continue;
        }
        EXPECT_EQ(static_cast<double>(wide), expected) << bits;
        EXPECT_EQ(Float16(wide).bits, half.bits) << bits;
    }
}

// Between two neighbours the nearer one wins, and the even one in the middle.
TEST(Float16, roundsToNearestEven) {
    for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
        const double low = halfValue(static_cast<uint16_t>(bits));
        const double high = bits + 1 == 0x7c00 ? 65536.0 : halfValue(static_cast<uint16_t>(bits + 1));
        const auto middle = static_cast<float>((low + high) / 2);
        const auto even = static_cast<uint16_t>(bits % 2 == 0 ? bits : bits + 1);
        EXPECT_EQ(Float16(middle).bits, even) << bits;
        EXPECT_EQ(Float16(std::nextafter(middle, 0.0F)).bits, bits) << bits;
        EXPECT_EQ(Float16(std::nextafter(middle, 1e9F)).bits, bits + 1) << bits;
        EXPECT_EQ(Float16(-middle).bits, even | 0x8000) << bits;
    }
    EXPECT_EQ(Float16(1e30F).bits, 0x7c00);
    EXPECT_EQ(Float16(-std::numeric_limits<float>::infinity()).bits, 0xfc00);
}

TEST(BFloat16, everyValueWidensAndComesBack) {
    for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
        const auto narrow = fromBits<BFloat16>(static_cast<uint16_t>(bits));
        const float wide = static_cast<float>(narrow);
        EXPECT_EQ(std::bit_cast<uint32_t>(wide), bits << 16);
        if (std::isnan(wide)) {
            EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(wide)))) << bits;
        } else {
            EXPECT_EQ(BFloat16(wide).bits, narrow.bits) << bits;
        }
    }
}

TEST(BFloat16, roundsToNearestEven) {
    for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
        const float middle = std::bit_cast<float>((bits << 16) | 0x8000U);
        EXPECT_EQ(BFloat16(middle).bits, bits + bits % 2) << bits;
        EXPECT_EQ(BFloat16(std::bit_cast<float>((bits << 16) | 0x7fffU)).bits, bits) << bits;
        EXPECT_EQ(BFloat16(std::bit_cast<float>((bits << 16) | 0x8001U)).bits, bits + 1) << bits;
    }
}

// A NaN whose only payload bits lie below the cut must not become infinity.
TEST(BFloat16, keepsNan) {
    const float quietlyLow = std::bit_cast<float>(0x7f800001U);
    EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(quietlyLow))));
    EXPECT_TRUE(std::isnan(static_cast<float>(Float16(quietlyLow))));
}

}  // namespace
}  // namespace wb
