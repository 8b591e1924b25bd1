// SPDX-License-Identifier: Apache-2.0
// What products on a device promise beyond their values: a row of few does not feel the rows beside it, and a group of
// projections is nothing but its products one by one.
#include "kernels/linear_group.h"
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace wb::kernels {
namespace {

using testing::DeviceBank;
using testing::TensorBank;
using testing::TensorKind;
using testing::TensorRole;
using testing::TensorSpec;

View rowsOf(const View& matrix, int64_t begin, int64_t end) {
    const size_t rowBytes = dtypeBytes(matrix.dtype, static_cast<size_t>(matrix.shape[1]));
    return {matrix.as<std::byte>() + rowBytes * static_cast<size_t>(begin), matrix.dtype,
            Shape{end - begin, matrix.shape[1]}};
}

class DeviceLinearTest : public ::testing::TestWithParam<DType> {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }
    const Context& device() const { return m_device->context(); }

    std::unique_ptr<Runtime> m_device;
};

struct ProductShape {
    int64_t inputs, outputs;
};

TEST_P(DeviceLinearTest, aRowOfFewDoesNotFeelItsNeighbours) {
    for (const TensorKind kind : {TensorKind::Data, TensorKind::Q8Tiles, TensorKind::Q4Tiles}) {
        for (const ProductShape& s : {ProductShape{64, 20}, {2080, 17}, {1411, 33}, {5, 3}}) {
            if (kind != TensorKind::Data && s.inputs % 32 != 0) continue;
            const std::vector<TensorSpec> specs{
                {"x", {kIndependentRows, s.inputs}},
                {"weight", {s.outputs, s.inputs}, kind},
                {"bias", {s.outputs}},
                {.name = "together", .shape = {kIndependentRows, s.outputs}, .role = TensorRole::Output},
                {.name = "apart", .shape = {kIndependentRows, s.outputs}, .role = TensorRole::Output}};
            TensorBank t(specs, GetParam());
            DeviceBank moved(device(), specs, t);
            const auto multiply = [&](const char* out, int64_t begin, int64_t end) {
                linearForward(device(), {.x = rowsOf(t.at("x"), begin, end),
                                         .weight = t.at("weight"),
                                         .bias = t.at("bias"),
                                         .out = rowsOf(t.at(out), begin, end)});
            };
            multiply("together", 0, kIndependentRows);
            for (const auto& [begin, end] : {std::pair{0, 1}, {1, 2}, {2, 5}, {5, 7}, {7, 16}}) {
                multiply("apart", begin, end);
            }
            moved.download();
            EXPECT_EQ(t.bytes("together"), t.bytes("apart"))
                << fmt::format("{} inputs, {} outputs", s.inputs, s.outputs);
        }
    }
}

// What the table of cases allows for x in bytes, which a device does not round: here the tolerance is that of elements.
// The larger weight is widened in more than one panel, either way.
TEST_P(DeviceLinearTest, aTiledWeightIsTakenAtItsValue) {
    struct Shape3 {
        int64_t rows, outputs, inputs;
    };
    const Runtime cpu({.numThreads = 2});
    for (const TensorKind kind : {TensorKind::Q8Tiles, TensorKind::Q4Tiles}) {
        for (const Shape3& s : {Shape3{1, 40, 2112}, {13, 21, 96}, {17, 2304, 4096}}) {
            const bool isLarge = s.outputs > 1000;
            if (isLarge && (kind == TensorKind::Q8Tiles || GetParam() != DType::F32)) continue;
            const std::vector<TensorSpec> specs{
                {"x", {s.rows, s.inputs}},
                {"weight", {s.outputs, s.inputs}, kind},
                {"bias", {s.outputs}},
                {"dOut", {s.rows, s.outputs}},
                {.name = "out", .shape = {s.rows, s.outputs}, .role = TensorRole::Output},
                {.name = "dX", .shape = {s.rows, s.inputs}, .role = TensorRole::Output}};
            const auto run = [](const Context& context, const TensorBank& t) {
                linearForward(context,
                              {.x = t.at("x"), .weight = t.at("weight"), .bias = t.at("bias"), .out = t.at("out")});
                linearBackwardInput(context, {.dOut = t.at("dOut"), .weight = t.at("weight"), .dX = t.at("dX")});
            };
            TensorBank found(specs, GetParam());
            TensorBank oracle(specs, DType::F64);
            DeviceBank moved(device(), specs, found);
            run(device(), found);
            moved.download();
            run(cpu.context(), oracle);
            for (const char* name : {"out", "dX"}) {
                const std::vector<double> values = found.values(name);
                const std::vector<double> expected = oracle.values(name);
                double largest = 0;
                double worst = 0;
                for (size_t i = 0; i < values.size(); ++i) {
                    largest = std::max(largest, std::abs(expected[i]));
                    worst = std::max(worst, std::abs(values[i] - expected[i]));
                }
                EXPECT_LE(worst, largest * (GetParam() == DType::BF16 ? 4e-3 : 2e-6))
                    << fmt::format("{} of {} x {} x {}", name, s.rows, s.outputs, s.inputs);
            }
        }
    }
}

struct GroupShape {
    int64_t rows, inputs, outputs, otherOutputs, rank;
};

std::vector<TensorSpec> groupSpecs(const GroupShape& s) {
    return {{"x", {s.rows, s.inputs}},
            {"w", {s.outputs, s.inputs}},
            {"bias", {s.outputs}},
            {"v", {s.otherOutputs, s.inputs}},
            {"a", {s.rank, s.inputs}},
            {"b", {s.outputs, s.rank}},
            {"a2", {s.rank, s.inputs}},
            {"b2", {s.outputs, s.rank}},
            {.name = "low", .shape = {s.rows, s.rank}, .role = TensorRole::Output},
            {.name = "low2", .shape = {s.rows, s.rank}, .role = TensorRole::Output},
            {.name = "out", .shape = {s.rows, s.outputs}, .role = TensorRole::Output},
            {.name = "other", .shape = {s.rows, s.otherOutputs}, .role = TensorRole::Output}};
}

// Rows [begin, middle) use a and b, rows [from, end) a2 and b2; the two may overlap.
struct Split {
    int64_t begin, middle, from, end;
};

void together(const Context& context, const TensorBank& t, const Split& s) {
    const std::array<LinearDelta, 2> deltas{
        LinearDelta{s.begin, s.middle, t.at("a"), t.at("b"), rowsOf(t.at("low"), s.begin, s.middle), 0.5F},
        LinearDelta{s.from, s.end, t.at("a2"), t.at("b2"), rowsOf(t.at("low2"), s.from, s.end), 2.0F}};
    const std::array<LinearPart, 2> parts{
        LinearPart{.weight = t.at("w"), .bias = t.at("bias"), .out = t.at("out"), .deltas = deltas},
        LinearPart{.weight = t.at("v"), .bias = {}, .out = t.at("other")}};
    linearGroup(context, {.x = t.at("x"), .parts = parts});
}

void oneByOne(const Context& context, const TensorBank& t, const Split& s) {
    linearForward(context, {.x = t.at("x"), .weight = t.at("w"), .bias = t.at("bias"), .out = t.at("out")});
    linearForward(context, {.x = t.at("x"), .weight = t.at("v"), .bias = {}, .out = t.at("other")});
    const auto update = [&](int64_t begin, int64_t end, const char* a, const char* b, const char* low, float scale) {
        const View target = rowsOf(t.at(low), begin, end);
        linearForward(context, {.x = rowsOf(t.at("x"), begin, end), .weight = t.at(a), .bias = {}, .out = target});
        linearForward(context, {.x = target,
                                .weight = t.at(b),
                                .bias = {},
                                .out = rowsOf(t.at("out"), begin, end),
                                .alpha = scale,
                                .write = Write::Add});
    };
    update(s.begin, s.middle, "a", "b", "low", 0.5F);
    update(s.from, s.end, "a2", "b2", "low2", 2.0F);
}

TEST_P(DeviceLinearTest, aGroupHasTheBitsOfItsProducts) {
    for (const GroupShape& s :
         {GroupShape{1, 5, 3, 1, 2}, {3, 67, 45, 130, 7}, {4, 512, 84, 96, 16}, {16, 288, 40, 33, 16}}) {
        for (const Split& split : {Split{0, s.rows, s.rows, s.rows}, Split{0, 0, 0, s.rows},
                                   Split{0, s.rows / 2, s.rows / 2, s.rows}, Split{0, s.rows, s.rows / 3, s.rows}}) {
            const std::vector<TensorSpec> specs = groupSpecs(s);
            TensorBank group(specs, GetParam());
            TensorBank single(specs, GetParam());
            DeviceBank movedGroup(device(), specs, group);
            DeviceBank movedSingle(device(), specs, single);
            together(device(), group, split);
            oneByOne(device(), single, split);
            movedGroup.download();
            movedSingle.download();
            const std::string where = fmt::format("{} rows, {} inputs, deltas [{}, {}) and [{}, {})", s.rows, s.inputs,
                                                  split.begin, split.middle, split.from, split.end);
            EXPECT_EQ(group.bytes("out"), single.bytes("out")) << where;
            EXPECT_EQ(group.bytes("other"), single.bytes("other")) << where;
        }
    }
}

// One more projection than a launch holds.
TEST_P(DeviceLinearTest, aGroupMayBeLarge) {
    constexpr int kParts = 17;
    std::vector<TensorSpec> specs{{"x", {2, 40}}};
    for (int i = 0; i < kParts; ++i) {
        specs.push_back({fmt::format("w{}", i), {3 + i, 40}});
        for (const char* name : {"group", "single"}) {
            specs.push_back({.name = fmt::format("{}{}", name, i), .shape = {2, 3 + i}, .role = TensorRole::Output});
        }
    }
    TensorBank t(specs, GetParam());
    DeviceBank moved(device(), specs, t);
    std::vector<LinearPart> parts;
    for (int i = 0; i < kParts; ++i) {
        const View weight = t.at(fmt::format("w{}", i));
        parts.push_back({.weight = weight, .bias = {}, .out = t.at(fmt::format("group{}", i))});
        linearForward(device(),
                      {.x = t.at("x"), .weight = weight, .bias = {}, .out = t.at(fmt::format("single{}", i))});
    }
    linearGroup(device(), {.x = t.at("x"), .parts = parts});
    moved.download();
    for (int i = 0; i < kParts; ++i) {
        EXPECT_EQ(t.bytes(fmt::format("group{}", i)), t.bytes(fmt::format("single{}", i))) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, DeviceLinearTest, ::testing::Values(DType::F32, DType::BF16),
                         [](const auto& param) { return std::string(dtypeName(param.param)); });

}  // namespace
}  // namespace wb::kernels
