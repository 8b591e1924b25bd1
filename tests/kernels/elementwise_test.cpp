// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <gtest/gtest.h>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace wb::kernels {
namespace {

using testing::TensorBank;
using testing::TensorRole;

class ElementwiseTest : public ::testing::Test {
protected:
    Runtime m_runtime{{.numThreads = 2}};
};

// Every pattern of bits, on the vector path and behind its end.
TEST_F(ElementwiseTest, castToBf16RoundsLikeTheScalarType) {
    std::vector<float> x;
    for (uint32_t high = 0; high <= 0xffff; ++high) {
        for (const uint32_t low : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
            x.push_back(std::bit_cast<float>((high << 16) | low));
        }
    }
    x.push_back(1.0F);  // an odd count leaves a part of a vector
    const auto count = static_cast<int64_t>(x.size());
    std::vector<BFloat16> out(x.size());
    cast(m_runtime.context(), {{x.data(), DType::F32, {count}}, {out.data(), DType::BF16, {count}}});
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(out[i].bits, BFloat16(x[i]).bits) << i;
    std::vector<float> back(x.size());
    cast(m_runtime.context(), {{out.data(), DType::BF16, {count}}, {back.data(), DType::F32, {count}}});
    for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(back[i]), static_cast<uint32_t>(out[i].bits) << 16) << i;
    }
}

TEST_F(ElementwiseTest, castsBetweenAllFloats) {
    std::array<float, 5> x{0.0F, -1.5F, 1.0F / 3.0F, 65504.0F, 1e-7F};
    for (const DType middle : {DType::F16, DType::BF16, DType::F64, DType::F32}) {
        std::array<double, 5> memory{};
        std::array<double, 5> wide{};
        const View stored{memory.data(), middle, {5}};
        cast(m_runtime.context(), {{x.data(), DType::F32, {5}}, stored});
        cast(m_runtime.context(), {stored, {wide.data(), DType::F64, {5}}});
        for (size_t i = 0; i < x.size(); ++i) {
            const float expected = middle == DType::F16    ? static_cast<float>(Float16(x[i]))
                                   : middle == DType::BF16 ? static_cast<float>(BFloat16(x[i]))
                                                           : x[i];
            EXPECT_EQ(wide[i], static_cast<double>(expected)) << dtypeName(middle);
        }
    }
}

TEST_F(ElementwiseTest, castOfDoubleKeepsDouble) {
    std::array<double, 3> x{1.0 / 3.0, -1e-300, 1e300};
    std::array<double, 3> out{};
    cast(m_runtime.context(), {{x.data(), DType::F64, {3}}, {out.data(), DType::F64, {3}}});
    EXPECT_EQ(x, out);
}

TEST_F(ElementwiseTest, castRefusesIntegers) {
    std::array<int32_t, 2> x{};
    std::array<float, 2> out{};
    EXPECT_THROW(cast(m_runtime.context(), {{x.data(), DType::I32, {2}}, {out.data(), DType::F32, {2}}}), Error);
}

TEST_F(ElementwiseTest, fillsEveryType) {
    for (const DType dtype : {DType::F32, DType::BF16, DType::F64}) {
        TensorBank t({{"x", {1000}}}, dtype);
        fill(m_runtime.context(), {t.at("x"), -2.5F});
        for (const double value : t.values("x")) EXPECT_EQ(value, -2.5);
    }
    std::array<int32_t, 3> integers{1, 2, 3};
    fill(m_runtime.context(), {{integers.data(), DType::I32, {3}}, -7.0F});
    EXPECT_EQ(integers, (std::array<int32_t, 3>{-7, -7, -7}));
}

TEST_F(ElementwiseTest, worksInPlace) {
    for (const DType dtype : {DType::F32, DType::BF16}) {
        const std::vector<testing::TensorSpec> specs{
            {"a", {77}}, {"b", {77}}, {.name = "out", .shape = {77}, .role = TensorRole::Output}};
        TensorBank apart(specs, dtype);
        TensorBank inPlace(specs, dtype);
        add(m_runtime.context(), {apart.at("a"), apart.at("b"), apart.at("out")});
        add(m_runtime.context(), {inPlace.at("a"), inPlace.at("b"), inPlace.at("a")});
        EXPECT_EQ(apart.values("out"), inPlace.values("a"));
        dropout(m_runtime.context(), {.x = apart.at("a"), .out = apart.at("out"), .p = 0.5F, .seed = 1});
        dropout(m_runtime.context(), {.x = apart.at("a"), .out = apart.at("a"), .p = 0.5F, .seed = 1});
        EXPECT_EQ(apart.values("out"), apart.values("a"));
    }
}

TEST_F(ElementwiseTest, dropoutDropsItsShareAndKeepsTheMean) {
    constexpr int64_t kCount = 100000;
    constexpr float kP = 0.3F;
    std::vector<float> x(kCount, 1.0F);
    const View view{x.data(), DType::F32, {kCount}};
    dropout(m_runtime.context(), {.x = view, .out = view, .p = kP, .seed = 7, .offset = 3});
    int64_t dropped = 0;
    for (const float value : x) {
        if (value == 0.0F) {
            ++dropped;
        } else {
            EXPECT_FLOAT_EQ(value, 1.0F / (1.0F - kP));
        }
    }
    const double deviation = std::sqrt(kCount * kP * (1 - kP));
    EXPECT_NEAR(static_cast<double>(dropped), kCount * static_cast<double>(kP), 5 * deviation);
}

// Draw i belongs to element i whatever the chunk it is made in: recomputing a part gives the same part.
TEST_F(ElementwiseTest, dropoutOfAPartEqualsThePart) {
    std::vector<float> whole(1000, 1.0F);
    std::vector<float> parts(1000, 1.0F);
    const View all{whole.data(), DType::F32, {1000}};
    dropout(m_runtime.context(), {.x = all, .out = all, .p = 0.5F, .seed = 11, .offset = 5});
    for (int64_t first = 0; first < 1000; first += 37) {
        const int64_t count = std::min<int64_t>(37, 1000 - first);
        const View part{parts.data() + first, DType::F32, {count}};
        dropout(m_runtime.context(),
                {.x = part, .out = part, .p = 0.5F, .seed = 11, .offset = 5 + static_cast<uint64_t>(first)});
    }
    EXPECT_EQ(whole, parts);
}

TEST_F(ElementwiseTest, dropoutRefusesImpossibleProbabilities) {
    std::array<float, 2> x{};
    const View view{x.data(), DType::F32, {2}};
    for (const float p : {-0.1F, 1.0F, std::numeric_limits<float>::quiet_NaN()}) {
        EXPECT_THROW(dropout(m_runtime.context(), {.x = view, .out = view, .p = p}), Error) << p;
    }
}

}  // namespace
}  // namespace wb::kernels
