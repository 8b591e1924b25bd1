// SPDX-License-Identifier: Apache-2.0
// What the table of cases cannot say about quantised weights: every instruction set gives the same bits, tiles give
// back their blocks, rows do not influence each other, and the error against the exact product has a bound.
#include "kernels/base/error.h"
#include "kernels/base/philox.h"
#include "kernels/cpu/quantized_kernels.h"
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/linear.h"
#include "kernels/quantize.h"
#include "kernels/runtime/runtime.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace wb::kernels {
namespace {

// A sum of two uniform draws: more values near zero than at the ends, as weights have them.
std::vector<float> noise(size_t count, uint64_t seed) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
        values[i] = philoxUnit(philoxWord(seed, i)) + philoxUnit(philoxWord(seed + 1000, i)) - 1.0F;
    }
    return values;
}

class QuantizedLinearTest : public ::testing::TestWithParam<DType> {
protected:
    struct Tiles {
        std::vector<uint8_t> memory;
        View view;
    };

    Tiles quantized(int64_t rows, int64_t columns, uint64_t seed) {
        std::vector<float> values = noise(static_cast<size_t>(rows * columns), seed);
        Tiles tiles{std::vector<uint8_t>(arrayBytes(GetParam(), {rows, columns})), {}};
        tiles.view = {tiles.memory.data(), GetParam(), {rows, columns}};
        quantize(context(), {.x = {values.data(), DType::F32, {rows, columns}}, .out = tiles.view});
        return tiles;
    }

    static std::vector<float> product(const Context& context, std::vector<float> x, const Tiles& weight) {
        const int64_t columns = weight.view.shape[1];
        const int64_t rows = static_cast<int64_t>(x.size()) / columns;
        std::vector<float> out(static_cast<size_t>(rows * weight.view.shape[0]));
        linearForward(context, {.x = {x.data(), DType::F32, {rows, columns}},
                                .weight = weight.view,
                                .out = {out.data(), DType::F32, {rows, weight.view.shape[0]}}});
        return out;
    }

    const Context& context() { return m_runtime.context(); }

    Runtime m_runtime{{.numThreads = 2}};
};

TEST_P(QuantizedLinearTest, everyInstructionSetGivesTheSameBits) {
    constexpr int64_t kRows = 6;
    for (const int64_t blocks : {1, 2, 7}) {
        const int64_t groups = blocks * valuesPerBlock(GetParam()) / kGroupLength;
        const Tiles weight = quantized(2 * kTileRows, groups * kGroupLength, 3);
        const int offset = GetParam() == DType::Q8_0x16   ? Q8Tiles::kOffset
                           : GetParam() == DType::Q4_0x16 ? Q4Tiles::kOffset
                                                          : Nf4Tiles::kOffset;
        std::vector<cpu::ActivationBlock> x(static_cast<size_t>(kRows * groups));
        for (size_t b = 0; b < x.size(); ++b) {
            int32_t sum = 0;
            for (size_t i = 0; i < x[b].values.size(); ++i) {
                // Both ends, where narrow sums would overflow.
                const int value = b % 3 == 0   ? 127
                                  : b % 3 == 1 ? -127
                                               : static_cast<int>(philoxWord(5, b * 32 + i) % 255) - 127;
                x[b].values[i] = static_cast<int8_t>(value);
                sum += value;
            }
            x[b].scale = 0.01F * static_cast<float>(b + 1);
            x[b].correction = -offset * sum;
        }
        const auto run = [&](const cpu::TileKernels& kernels) {
            std::vector<float> sums(kRows * cpu::kPanelColumns);
            for (int64_t row = 0; row < kRows; row += kernels.maxRows) {
                kernels.of(GetParam())({.tiles = weight.view.as<std::byte>(),
                                        .groups = groups,
                                        .x = x.data() + row * groups,
                                        .rows = std::min(kernels.maxRows, kRows - row),
                                        .numTiles = 2,
                                        .sums = sums.data() + row * cpu::kPanelColumns});
            }
            return sums;
        };
        const std::vector<float> expected = run(cpu::tileKernels().back());
        for (const cpu::TileKernels& kernels : cpu::tileKernels()) EXPECT_EQ(run(kernels), expected) << kernels.name;
    }
}

TEST_P(QuantizedLinearTest, tilesGiveBackTheirBlocksBitForBit) {
    for (const int64_t rows : {1, 16, 37}) {
        const Shape shape{rows, 192};
        const DType format = rowsOfTiles(GetParam());
        std::vector<float> values = noise(static_cast<size_t>(shape.count()), 9);
        std::vector<uint8_t> blocks(arrayBytes(format, shape));
        std::vector<uint8_t> tiles(arrayBytes(GetParam(), shape), 1);
        std::vector<uint8_t> again(blocks.size());
        quantize(context(), {.x = {values.data(), DType::F32, shape}, .out = {blocks.data(), format, shape}});
        retile(context(), {.in = {blocks.data(), format, shape}, .out = {tiles.data(), GetParam(), shape}});
        retile(context(), {.in = {tiles.data(), GetParam(), shape}, .out = {again.data(), format, shape}});
        EXPECT_EQ(again, blocks);
        EXPECT_EQ(quantized(rows, 192, 9).memory, tiles) << "quantised at once or block by block";
        // The same numbers either way round.
        std::vector<float> fromBlocks(values.size());
        std::vector<float> fromTiles(values.size());
        dequantize(context(), {{blocks.data(), format, shape}, {fromBlocks.data(), DType::F32, shape}});
        dequantize(context(), {{tiles.data(), GetParam(), shape}, {fromTiles.data(), DType::F32, shape}});
        EXPECT_EQ(fromTiles, fromBlocks);
    }
}

TEST_P(QuantizedLinearTest, aRowDoesNotDependOnTheRowsBesideIt) {
    const Tiles weight = quantized(70, 192, 4);
    const std::vector<float> x = noise(size_t{200} * 192, 8);
    const std::vector<float> all = product(context(), x, weight);
    for (const size_t count : {1, 2, 5, 16, 40}) {
        const std::vector<float> some(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(count * 192));
        const std::vector<float> part = product(context(), some, weight);
        EXPECT_EQ(part, std::vector<float>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(part.size())));
    }
}

// The gate of accuracy: at most 1 % of the length of the exact product, layer by layer.
TEST_P(QuantizedLinearTest, staysNearTheExactProduct) {
    Context exact = context();
    exact.ops = &cpu::referenceOpTable();
    for (const auto& [rows, outputs, inputs] :
         {std::array<int64_t, 3>{1, 128, 64}, {4, 96, 576}, {20, 64, 1536}, {2, 64, 2048}}) {
        const Tiles weight = quantized(outputs, inputs, 6);
        const std::vector<float> x = noise(static_cast<size_t>(rows * inputs), 7);
        const std::vector<float> fast = product(context(), x, weight);
        const std::vector<float> slow = product(exact, x, weight);
        double error = 0;
        double length = 0;
        for (size_t i = 0; i < fast.size(); ++i) {
            error += std::pow(static_cast<double>(fast[i]) - static_cast<double>(slow[i]), 2);
            length += std::pow(static_cast<double>(slow[i]), 2);
        }
        EXPECT_LT(std::sqrt(error / length), 0.01) << rows << "x" << outputs << "x" << inputs;
    }
}

TEST_P(QuantizedLinearTest, carriesNanAndInfinity) {
    const Tiles weight = quantized(16, 64, 4);
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> x = noise(size_t{3} * 64, 8);
        x[64 + 40] = broken;
        const std::vector<float> out = product(context(), x, weight);
        for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isfinite(out[i]), i / 16 != 1) << i;
    }
}

TEST_P(QuantizedLinearTest, refusesWhatCannotBe) {
    const Tiles weight = quantized(16, 64, 4);
    std::vector<float> x(64);
    std::vector<float> out(16);
    const auto refused = [](const auto& call) {
        try {
            call();
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("nothing");
    };
    EXPECT_EQ(refused([&] {
                  std::vector<uint8_t> rows(arrayBytes(DType::Q8_0, {16, 64}));
                  linearForward(context(), {.x = {x.data(), DType::F32, {1, 64}},
                                            .weight = {rows.data(), DType::Q8_0, {16, 64}},
                                            .out = {out.data(), DType::F32, {1, 16}}});
              }),
              "linearForward: weight is Q8_0, expected F32");
    EXPECT_EQ(refused([&] { arrayBytes(GetParam(), {16, 48}); }).find("an array [16, 48] cannot be held"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantizedLinearTest, ::testing::Values(DType::Q8_0x16, DType::Q4_0x16, DType::NF4x16),
                         [](const auto& type) { return std::string(dtypeName(type.param)); });

}  // namespace
}  // namespace wb::kernels
