// SPDX-License-Identifier: Apache-2.0
// What the table of cases cannot say about linear: rows do not influence each other, on both sides of the switch from
// dot products to blocked products.
#include "kernels/linear.h"

#include "kernels/base/error.h"
#include "kernels/cpu/gemv.h"
#include "kernels/elementwise.h"
#include "kernels/runtime/runtime.h"
#include "tests/kernels/op_case.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace wb::kernels {
namespace {

using testing::TensorBank;

class LinearTest : public ::testing::TestWithParam<DType> {
protected:
    Runtime m_runtime{{.numThreads = 2}};
};

View rowsOf(const View& matrix, int64_t first, int64_t count) {
    const auto width = static_cast<size_t>(matrix.shape[1]);
    return {matrix.as<std::byte>() + dtypeBytes(matrix.dtype, static_cast<size_t>(first) * width),
            matrix.dtype,
            {count, matrix.shape[1]}};
}

std::vector<uint8_t> bytesOf(const View& view) {
    return {view.as<uint8_t>(), view.as<uint8_t>() + view.bytes()};
}

// Batched decoding must give the ids of single decoding: each row alone has the bits it has in company.
TEST_P(LinearTest, aRowDoesNotDependOnTheRowsBesideIt) {
    constexpr int64_t kRows = kIndependentRows;
    for (const auto& [outputs, inputs] : {std::pair<int64_t, int64_t>{1, 1}, {45, 67}, {64, 128}, {130, 515}}) {
        TensorBank t({{"x", {kRows, inputs}},
                      {"weight", {outputs, inputs}},
                      {"bias", {outputs}},
                      {.name = "all", .shape = {kRows, outputs}, .role = testing::TensorRole::Output},
                      {.name = "some", .shape = {kRows, outputs}, .role = testing::TensorRole::Output}},
                     GetParam());
        const Context& context = m_runtime.context();
        linearForward(context, {.x = t.at("x"), .weight = t.at("weight"), .bias = t.at("bias"), .out = t.at("all")});
        for (int64_t count = 1; count < kRows; ++count) {
            for (int64_t first = 0; first + count <= kRows; first += count) {
                linearForward(context, {.x = rowsOf(t.at("x"), first, count),
                                        .weight = t.at("weight"),
                                        .bias = t.at("bias"),
                                        .out = rowsOf(t.at("some"), first, count)});
                EXPECT_EQ(bytesOf(rowsOf(t.at("some"), first, count)), bytesOf(rowsOf(t.at("all"), first, count)))
                    << count << " rows from " << first;
            }
        }
    }
}

TEST_P(LinearTest, theDotProductPathDoesNotDependOnThreads) {
    TensorBank t({{"x", {3, 1025}},
                  {"weight", {333, 1025}},
                  {.name = "one", .shape = {3, 333}, .role = testing::TensorRole::Output},
                  {.name = "many", .shape = {3, 333}, .role = testing::TensorRole::Output}},
                 GetParam());
    Context context = m_runtime.context();
    context.numThreads = 1;
    linearForward(context, {.x = t.at("x"), .weight = t.at("weight"), .out = t.at("one")});
    context.numThreads = 7;
    linearForward(context, {.x = t.at("x"), .weight = t.at("weight"), .out = t.at("many")});
    EXPECT_EQ(t.bytes("one"), t.bytes("many"));
}

// A broken value must reach the loss, not vanish on the way.
TEST_P(LinearTest, carriesNan) {
    for (const int64_t rows : {int64_t{2}, int64_t{40}}) {
        TensorBank t({{"x", {rows, 20}},
                      {"weight", {8, 20}},
                      {.name = "out", .shape = {rows, 8}, .role = testing::TensorRole::Output}},
                     GetParam());
        fill(m_runtime.context(), {rowsOf(t.at("x"), 1, 1), std::numeric_limits<float>::quiet_NaN()});
        linearForward(m_runtime.context(), {.x = t.at("x"), .weight = t.at("weight"), .out = t.at("out")});
        const std::vector<double> out = t.values("out");
        for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i / 8 == 1) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Types, LinearTest, ::testing::Values(DType::F32, DType::BF16),
                         [](const auto& type) { return std::string(dtypeName(type.param)); });

TEST(LinearErrors, sayWhatAndWhere) {
    Runtime runtime({.numThreads = 1});
    TensorBank t({{"x", {2, 3}}, {"weight", {5, 4}}, {"out", {2, 5}}}, DType::F32);
    try {
        linearForward(runtime.context(), {.x = t.at("x"), .weight = t.at("weight"), .out = t.at("out")});
        FAIL() << "accepted 3 columns against 4";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "linearForward: weight has shape [5, 4], expected [5, 3]");
    }
}

}  // namespace
}  // namespace wb::kernels
