// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantize.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/philox.h"
#include "kernels/runtime/runtime.h"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>
#include <vector>

namespace wb::kernels {
namespace {

constexpr int64_t kBlock = 32;

class QuantizeTest : public ::testing::Test {
protected:
    std::vector<uint8_t> quantized(std::vector<float>& x, int64_t rows, int64_t columns) {
        std::vector<uint8_t> bytes(dtypeBytes(DType::Q8_0, x.size()));
        quantize(m_runtime.context(),
                 {{x.data(), DType::F32, {rows, columns}}, {bytes.data(), DType::Q8_0, {rows, columns}}});
        return bytes;
    }
    Runtime m_runtime{{.numThreads = 2}};
};

TEST_F(QuantizeTest, layoutIsAHalfScaleAndThirtyTwoBytes) {
    std::vector<float> x(kBlock, 0.0F);
    x[0] = 127.0F;
    x[1] = -63.4F;
    x[31] = 2.6F;
    const std::vector<uint8_t> bytes = quantized(x, 1, kBlock);
    ASSERT_EQ(bytes.size(), 34U);
    EXPECT_EQ(bytes[0] | bytes[1] << 8, Float16(1.0F).bits);
    EXPECT_EQ(static_cast<int8_t>(bytes[2]), 127);
    EXPECT_EQ(static_cast<int8_t>(bytes[3]), -63);
    EXPECT_EQ(static_cast<int8_t>(bytes[33]), 3);
}

TEST_F(QuantizeTest, errorStaysBelowHalfAStep) {
    constexpr int64_t kRows = 7;
    constexpr int64_t kColumns = 5 * kBlock;
    std::vector<float> x(kRows * kColumns);
    for (size_t i = 0; i < x.size(); ++i) {
        const float scale = std::ldexp(1.0F, static_cast<int>(i / kBlock) % 9 - 4);
        x[i] = (philoxUnit(philoxWord(3, i)) - 0.5F) * scale;
    }
    std::vector<uint8_t> bytes = quantized(x, kRows, kColumns);
    std::vector<float> back(x.size());
    dequantize(m_runtime.context(),
               {{bytes.data(), DType::Q8_0, {kRows, kColumns}}, {back.data(), DType::F32, {kRows, kColumns}}});
    std::vector<BFloat16> narrow(x.size());
    dequantize(m_runtime.context(),
               {{bytes.data(), DType::Q8_0, {kRows, kColumns}}, {narrow.data(), DType::BF16, {kRows, kColumns}}});
    for (size_t i = 0; i < x.size(); ++i) {
        float largest = 0;
        for (size_t j = i / kBlock * kBlock; j < (i / kBlock + 1) * kBlock; ++j) {
            largest = std::max(largest, std::abs(x[j]));
        }
        // Half a step of rounding, and the scale itself rounded to half precision (2^-11 of up to 127 steps).
        EXPECT_NEAR(back[i], x[i], largest / 127.0F * (0.5F + 127.0F * 0x1p-11F)) << i;
        EXPECT_EQ(narrow[i].bits, BFloat16(back[i]).bits) << i;
    }
}

TEST_F(QuantizeTest, zerosStayZeros) {
    std::vector<float> x(2 * kBlock, 0.0F);
    std::vector<uint8_t> bytes = quantized(x, 2, kBlock);
    for (const uint8_t byte : bytes) EXPECT_EQ(byte, 0);
}

TEST_F(QuantizeTest, refusesColumnsThatAreNoBlocks) {
    std::vector<float> x(48);
    std::vector<uint8_t> bytes(102);
    EXPECT_THROW(quantize(m_runtime.context(), {{x.data(), DType::F32, {1, 48}}, {bytes.data(), DType::Q8_0, {1, 48}}}),
                 Error);
    EXPECT_THROW(
        dequantize(m_runtime.context(), {{bytes.data(), DType::Q8_0, {2, 32}}, {x.data(), DType::F64, {2, 32}}}),
        Error);
}

}  // namespace
}  // namespace wb::kernels
