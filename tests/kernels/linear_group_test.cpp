// SPDX-License-Identifier: Apache-2.0
// A group of projections is nothing but its products one by one: the same bits, whatever stands beside them.
#include "kernels/linear_group.h"

#include "kernels/base/error.h"
#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <array>
#include <string>
#include <vector>

namespace wb::kernels {
namespace {

using testing::TensorBank;
using testing::TensorRole;
using testing::TensorSpec;

struct GroupShape {
    int64_t rows, inputs, outputs, otherOutputs, rank;
};

class LinearGroupTest : public ::testing::TestWithParam<DType> {
protected:
    static std::vector<TensorSpec> specs(const GroupShape& s) {
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
    static View rowsOf(const View& matrix, int64_t begin, int64_t end) {
        const size_t rowBytes = dtypeBytes(matrix.dtype, static_cast<size_t>(matrix.shape[1]));
        return {matrix.as<std::byte>() + rowBytes * static_cast<size_t>(begin), matrix.dtype,
                Shape{end - begin, matrix.shape[1]}};
    }

    // Rows [0, first) are the base, [first, second) use a and b, the rest a2 and b2.
    static void together(const Context& context, TensorBank& t, int64_t first, int64_t second) {
        const int64_t rows = t.at("x").shape[0];
        const std::array<LinearDelta, 2> deltas{
            LinearDelta{first, second, t.at("a"), t.at("b"), rowsOf(t.at("low"), first, second), 0.5F},
            LinearDelta{second, rows, t.at("a2"), t.at("b2"), rowsOf(t.at("low2"), second, rows), 2.0F}};
        const std::array<LinearPart, 2> parts{
            LinearPart{.weight = t.at("w"), .bias = t.at("bias"), .out = t.at("out"), .deltas = deltas},
            LinearPart{.weight = t.at("v"), .bias = {}, .out = t.at("other")}};
        linearGroup(context, {.x = t.at("x"), .parts = parts});
    }
    void oneByOne(TensorBank& t, int64_t first, int64_t second) {
        const Context& context = m_runtime.context();
        const int64_t rows = t.at("x").shape[0];
        linearForward(context, {.x = t.at("x"), .weight = t.at("w"), .bias = t.at("bias"), .out = t.at("out")});
        linearForward(context, {.x = t.at("x"), .weight = t.at("v"), .bias = {}, .out = t.at("other")});
        const auto update = [&](int64_t begin, int64_t end, const char* a, const char* b, const char* low,
                                float scale) {
            const View target = rowsOf(t.at(low), begin, end);
            linearForward(context, {.x = rowsOf(t.at("x"), begin, end), .weight = t.at(a), .bias = {}, .out = target});
            linearForward(context, {.x = target,
                                    .weight = t.at(b),
                                    .bias = {},
                                    .out = rowsOf(t.at("out"), begin, end),
                                    .alpha = scale,
                                    .write = Write::Add});
        };
        update(first, second, "a", "b", "low", 0.5F);
        update(second, rows, "a2", "b2", "low2", 2.0F);
    }

    Runtime m_runtime{{.numThreads = 2}};
};

TEST_P(LinearGroupTest, hasTheBitsOfSingleProducts) {
    for (const GroupShape& s : {GroupShape{1, 5, 3, 1, 2},
                                {3, 67, 45, 130, 7},
                                {4, 512, 384, 96, 16},
                                {16, 576, 200, 33, 16},
                                {9, 1409, 64, 64, 64}}) {
        for (const auto& [first, second] :
             {std::pair<int64_t, int64_t>{0, s.rows}, {0, 0}, {s.rows / 2, s.rows}, {s.rows / 3, s.rows / 2}}) {
            TensorBank group(specs(s), GetParam());
            TensorBank single(specs(s), GetParam());
            together(m_runtime.context(), group, first, second);
            oneByOne(single, first, second);
            const std::string where = fmt::format("{} rows, {} inputs, {} outputs, deltas from {} and {}", s.rows,
                                                  s.inputs, s.outputs, first, second);
            EXPECT_EQ(group.bytes("out"), single.bytes("out")) << where;
            EXPECT_EQ(group.bytes("other"), single.bytes("other")) << where;
        }
    }
}

TEST_P(LinearGroupTest, theNumberOfThreadsChangesNothing) {
    const GroupShape s{5, 515, 130, 257, 16};
    TensorBank two(specs(s), GetParam());
    together(m_runtime.context(), two, 1, 3);
    const Runtime single({.numThreads = 1});
    TensorBank one(specs(s), GetParam());
    together(single.context(), one, 1, 3);
    EXPECT_EQ(one.bytes("out"), two.bytes("out"));
    EXPECT_EQ(one.bytes("other"), two.bytes("other"));
}

TEST_P(LinearGroupTest, refusesWhatDoesNotFit) {
    TensorBank t(specs({4, 8, 6, 3, 2}), GetParam());
    const Context& context = m_runtime.context();
    const auto refuses = [&](const LinearPart& part, const char* words) {
        try {
            linearGroup(context, {.x = t.at("x"), .parts = std::span(&part, 1)});
            FAIL() << "accepted: " << words;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
        }
    };
    refuses({.weight = t.at("w"), .bias = {}, .out = t.at("other")}, "out has shape");
    refuses({.weight = t.at("b"), .bias = {}, .out = t.at("out")}, "weight has shape");
    const LinearDelta outside{2, 5, t.at("a"), t.at("b"), t.at("low"), 1.0F};
    refuses({.weight = t.at("w"), .bias = {}, .out = t.at("out"), .deltas = std::span(&outside, 1)}, "rows 2 to 5");
    const LinearDelta swapped{0, 4, t.at("b"), t.at("a"), t.at("low"), 1.0F};
    refuses({.weight = t.at("w"), .bias = {}, .out = t.at("out"), .deltas = std::span(&swapped, 1)}, "a has shape");
    TensorBank many({{"x", {kIndependentRows + 1, 8}}}, GetParam());
    EXPECT_THROW(linearGroup(context, {.x = many.at("x"), .parts = {}}), Error);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, LinearGroupTest, ::testing::Values(DType::F32, DType::BF16, DType::F64),
                         [](const auto& param) { return std::string(dtypeName(param.param)); });

}  // namespace
}  // namespace wb::kernels
