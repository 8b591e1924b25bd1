// SPDX-License-Identifier: Apache-2.0
// The eight-bit numbers of moments, and AdamW on them against its formula in double.
#include "kernels/adamw8bit.h"

#include "kernels/base/dynamic_map.h"
#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "kernels/runtime/runtime.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace wb::kernels {
namespace {

TEST(DynamicMap, levelsRiseFromZeroToOneOverSevenDecades) {
    for (int code = -127; code < 127; ++code) {
        EXPECT_LT(kSignedMoments.levels[static_cast<size_t>(code + 128)],
                  kSignedMoments.levels[static_cast<size_t>(code + 129)]);
        EXPECT_EQ(kSignedMoments.levels[static_cast<size_t>(128 + code)],
                  -kSignedMoments.levels[static_cast<size_t>(128 - code)]);
    }
    for (size_t code = 0; code < 254; ++code)
        EXPECT_LT(kUnsignedMoments.levels[code], kUnsignedMoments.levels[code + 1]);
    EXPECT_EQ(kSignedMoments.levels[128], 0.0F);
    EXPECT_EQ(kSignedMoments.levels[255], 1.0F);
    EXPECT_EQ(kUnsignedMoments.levels[0], 0.0F);
    EXPECT_EQ(kUnsignedMoments.levels[254], 1.0F);
    EXPECT_FLOAT_EQ(kSignedMoments.levels[129], 1e-6F);
    EXPECT_FLOAT_EQ(kUnsignedMoments.levels[1], 5.5e-7F);
}

class AdamW8bitTest : public ::testing::Test {
protected:
    struct State {
        std::vector<float> w, scalesM, scalesV;
        std::vector<int8_t> m;
        std::vector<uint8_t> v;
        explicit State(size_t count)
            : w(count, 0.5F), scalesM((count + 255) / 256), scalesV((count + 255) / 256), m(count), v(count) {}

        double decodedM(size_t i) const {
            return static_cast<double>(scalesM[i / 256]) *
                   static_cast<double>(kSignedMoments.levels[static_cast<size_t>(m[i] + 128)]);
        }
        double decodedV(size_t i) const {
            return static_cast<double>(scalesV[i / 256]) * static_cast<double>(kUnsignedMoments.levels[v[i]]);
        }
    };
    void step(State& state, const std::vector<float>& gradient, int64_t number, float epsilon = 1e-8F) {
        const auto count = static_cast<int64_t>(state.w.size());
        const auto blocks = static_cast<int64_t>(state.scalesM.size());
        adamW8bit(m_runtime.context(), {.parameter = {state.w.data(), DType::F32, {count}},
                                        .gradient = {gradient.data(), DType::F32, {count}},
                                        .m = {state.m.data(), DType::I8, {count}},
                                        .v = {state.v.data(), DType::U8, {count}},
                                        .mScales = {state.scalesM.data(), DType::F32, {blocks}},
                                        .vScales = {state.scalesV.data(), DType::F32, {blocks}},
                                        .learningRate = 0.01F,
                                        .epsilon = epsilon,
                                        .weightDecay = 0.1F,
                                        .step = number});
    }
    Runtime m_runtime{{.numThreads = 2}};
};

// Gradients over eight orders of magnitude within a block.
std::vector<float> gradients(size_t count, uint64_t seed) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
        const float unit = 2 * philoxUnit(philoxWord(seed, i)) - 1;
        values[i] = unit * std::pow(10.0F, -static_cast<float>(philoxWord(seed + 9, i) % 8));
    }
    return values;
}

TEST_F(AdamW8bitTest, followsTheFormulaFromTheDecodedState) {
    constexpr size_t kCount = 777;  // three blocks and a bit, no multiple of a vector
    State state(kCount);
    for (int64_t number = 1; number <= 20; ++number) {
        const State before = state;
        const std::vector<float> gradient = gradients(kCount, static_cast<uint64_t>(number));
        step(state, gradient, number);
        for (size_t begin = 0; begin < kCount; begin += 256) {
            const size_t end = std::min(begin + 256, kCount);
            std::vector<double> newM, newV;
            for (size_t i = begin; i < end; ++i) {
                const auto g = static_cast<double>(gradient[i]);
                const double m = 0.9F * before.decodedM(i) + (1 - static_cast<double>(0.9F)) * g;
                const double v = 0.999F * before.decodedV(i) + (1 - static_cast<double>(0.999F)) * g * g;
                newM.push_back(m);
                newV.push_back(v);
                const double mHat = m / (1 - std::pow(0.9F, static_cast<double>(number)));
                const double vHat = v / (1 - std::pow(0.999F, static_cast<double>(number)));
                const double w = static_cast<double>(before.w[i]);
                const double expected = w - 0.01 * (mHat / (std::sqrt(vHat) + 1e-8) + 0.1 * w);
                ASSERT_NEAR(static_cast<double>(state.w[i]), expected,
                            2e-5 * (std::abs(expected) + std::abs(w - expected)))
                    << i << " step " << number;
            }
            double largestM = 0;
            double largestV = 0;
            for (size_t i = 0; i < newM.size(); ++i) {
                largestM = std::max(largestM, std::abs(newM[i]));
                largestV = std::max(largestV, newV[i]);
            }
            EXPECT_NEAR(static_cast<double>(state.scalesM[begin / 256]), largestM, 1e-5 * largestM);
            EXPECT_NEAR(static_cast<double>(state.scalesV[begin / 256]), largestV, 1e-5 * largestV);
            for (size_t i = begin; i < end; ++i) {
                // The nearest level; next to zero the edge is a tenth off the middle.
                const double m = newM[i - begin];
                const double v = newV[i - begin];
                const auto allowed = [](const DynamicMap& map, size_t zero, size_t last, double ratio) {
                    double nearest = 1;
                    for (size_t code = zero; code <= last; ++code)
                        nearest = std::min(nearest, std::abs(static_cast<double>(map.levels[code]) - ratio));
                    return nearest;
                };
                const double bestM = largestM * allowed(kSignedMoments, 128, 255, std::abs(m) / largestM);
                ASSERT_NEAR(state.decodedM(i), m, bestM * 1.0001 + 1e-7 * largestM + 1e-5 * std::abs(m)) << i;
                const double bestV = largestV * allowed(kUnsignedMoments, v > 0 ? 1 : 0, 254, v / largestV);
                ASSERT_NEAR(state.decodedV(i), v, bestV * 1.0001 + 1e-5 * v + 1e-15) << i;
            }
        }
    }
}

TEST_F(AdamW8bitTest, aSmallSecondMomentIsNeverRoundedToZero) {
    State state(256);
    std::vector<float> gradient(256, 1e-6F);
    gradient[0] = 1.0F;  // the scale of the block
    step(state, gradient, 1);
    EXPECT_EQ(state.v[0], 254);
    for (size_t i = 1; i < 256; ++i) EXPECT_EQ(state.v[i], 1);
    // The step after it stays of the size of the learning rate.
    const std::vector<float> before = state.w;
    step(state, gradient, 2);
    for (size_t i = 0; i < 256; ++i) EXPECT_LT(std::abs(state.w[i] - before[i]), 0.02F);
}

TEST_F(AdamW8bitTest, zerosStayZerosAndSoDoTheSmallestNumbers) {
    State state(300);
    step(state, std::vector<float>(300, 0.0F), 1);
    EXPECT_EQ(state.scalesM, std::vector<float>(2, 0.0F));
    EXPECT_EQ(state.v, std::vector<uint8_t>(300, 0));
    step(state, std::vector<float>(300, 1e-38F), 2);
    for (const float w : state.w) EXPECT_TRUE(std::isfinite(w));
    EXPECT_EQ(state.scalesV, std::vector<float>(2, 0.0F));
}

TEST_F(AdamW8bitTest, whatIsNotFiniteStaysVisible) {
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        State state(300);
        std::vector<float> gradient(300, 1.0F);
        gradient[7] = broken;
        step(state, gradient, 1);
        EXPECT_FALSE(std::isfinite(state.scalesM[0]));
        EXPECT_TRUE(std::isfinite(state.scalesM[1]));
    }
}

TEST_F(AdamW8bitTest, doublesAreRefusedByName) {
    std::vector<double> w(4), gradient(4);
    State state(4);
    try {
        adamW8bit(m_runtime.context(), {.parameter = {w.data(), DType::F64, {4}},
                                        .gradient = {gradient.data(), DType::F64, {4}},
                                        .m = {state.m.data(), DType::I8, {4}},
                                        .v = {state.v.data(), DType::U8, {4}},
                                        .mScales = {state.scalesM.data(), DType::F32, {1}},
                                        .vScales = {state.scalesV.data(), DType::F32, {1}}});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unsupported);
        EXPECT_STREQ(error.what(), "adamW8bit: an F64 parameter keeps F64 moments, take adamW");
    }
}

}  // namespace
}  // namespace wb::kernels
