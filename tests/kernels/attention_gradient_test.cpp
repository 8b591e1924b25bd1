// SPDX-License-Identifier: Apache-2.0
// Gradients of the oracle against central differences in double.
#include "tests/kernels/attention_case.h"

#include <gtest/gtest.h>
#include <cmath>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;

std::vector<AttentionCase> gradientCases() {
    std::vector<AttentionCase> cases;
    cases.push_back({"plain", {5}, {5}, 2, 2, 3, {}});
    cases.push_back({"causal_grouped", {4, 3}, {4, 3}, 4, 2, 5, {.isCausal = true}});
    cases.push_back({"cross_with_empty_sequences", {3, 0, 2}, {6, 4, 0}, 2, 1, 4, {.scale = 0.7F}});
    cases.push_back({"more_queries_than_keys", {6}, {3}, 2, 1, 4, {.isCausal = true}});
    cases.push_back({"soft_cap", {5}, {5}, 2, 1, 4, {.scale = 1.5F, .softCap = 1.25F, .isCausal = true}});
    cases.push_back({"window", {7}, {7}, 2, 2, 3, {.windowLeft = 2, .windowRight = 1}});
    cases.push_back({"window_left_only", {6}, {8}, 2, 1, 3, {.isCausal = true, .windowLeft = 2}});
    cases.push_back({"dropout", {5, 4}, {5, 4}, 2, 1, 4, {.dropout = 0.4F, .seed = 9, .offset = 12345}});
    cases.push_back({"alibi", {5}, {7}, 4, 2, 3, {.isCausal = true, .bias = AttentionBias::Alibi}});
    cases.push_back(
        {"distance_table", {5, 6}, {5, 6}, 2, 1, 3, {.bias = AttentionBias::DistanceTable}, /*tableLength=*/7});
    cases.push_back({"dense", {4, 3}, {5, 2}, 2, 1, 3, {.bias = AttentionBias::Dense}});
    cases.push_back({"everything",
                     {6, 4},
                     {6, 5},
                     4,
                     2,
                     3,
                     {.softCap = 2.0F,
                      .isCausal = true,
                      .windowLeft = 3,
                      .bias = AttentionBias::DistanceTable,
                      .dropout = 0.25F,
                      .seed = 3,
                      .offset = 77},
                     /*tableLength=*/6});
    return cases;
}

double lossOf(const Context& context, AttentionData<double>& data) {
    data.forward(context);
    double loss = 0;
    for (size_t i = 0; i < data.out.size(); ++i) loss += data.out[i] * data.dOut[i];
    return loss;
}

void expectGradient(const Context& context, AttentionData<double>& data, std::vector<double>& values,
                    const std::vector<double>& gradient, const char* name) {
    constexpr double kStep = 1e-5;
    // Relative to the gradient as a whole: single entries may be zero by symmetry.
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    for (size_t i = 0; i < values.size(); ++i) {
        const double kept = values[i];
        values[i] = kept + kStep;
        const double above = lossOf(context, data);
        values[i] = kept - kStep;
        const double below = lossOf(context, data);
        values[i] = kept;
        const double numeric = (above - below) / (2 * kStep);
        ASSERT_NEAR(numeric, gradient[i], 1e-6 * std::max(1e-3, largest)) << name << "[" << i << "]";
    }
}

class AttentionGradient : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionGradient, MathMatchesCentralDifferences) {
    const Runtime runtime({.numThreads = 1, .attention = AttentionBackend::Math});
    AttentionData<double> data(GetParam());
    data.forward(runtime.context());
    data.backward(runtime.context());
    const auto dQ = data.dQ;
    const auto dK = data.dK;
    const auto dV = data.dV;
    expectGradient(runtime.context(), data, data.q, dQ, "dQ");
    expectGradient(runtime.context(), data, data.k, dK, "dK");
    expectGradient(runtime.context(), data, data.v, dV, "dV");
    if (data.hasBiasGradient()) expectGradient(runtime.context(), data, data.bias, data.dBias, "dBias");
}

INSTANTIATE_TEST_SUITE_P(Cases, AttentionGradient, ::testing::ValuesIn(gradientCases()),
                         [](const auto& instance) { return instance.param.name; });

TEST(AttentionMath, RowsWithoutKeysAreZeroAndHaveNoGradient) {
    const Runtime runtime({.attention = AttentionBackend::Math});
    AttentionData<double> data({"", {5}, {2}, 2, 1, 4, {.isCausal = true}});
    std::fill(data.out.begin(), data.out.end(), 7.0);
    std::fill(data.dQ.begin(), data.dQ.end(), 7.0);
    data.forward(runtime.context());
    data.backward(runtime.context());
    for (size_t i = 0; i < 3 * 2; ++i) {  // the first three queries stand before the first key
        EXPECT_TRUE(std::isinf(data.logSumExp[i]) && data.logSumExp[i] < 0);
        for (size_t d = 0; d < 4; ++d) {
            EXPECT_EQ(data.out[i * 4 + d], 0.0);
            EXPECT_EQ(data.dQ[i * 4 + d], 0.0);
        }
    }
    EXPECT_NE(data.out[3 * 2 * 4], 0.0);
}

TEST(AttentionMath, BiasGradientAccumulates) {
    const Runtime runtime({.attention = AttentionBackend::Math});
    AttentionData<double> data({"", {4}, {4}, 2, 1, 4, {.bias = AttentionBias::DistanceTable}, 5});
    data.forward(runtime.context());
    data.backward(runtime.context());
    const auto once = data.dBias;
    attentionBackward(runtime.context(), data.backwardArgs());
    for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(data.dBias[i], 2 * once[i], 1e-14);
}

TEST(AttentionMath, BrokenValuesAreNotHidden) {
    const Runtime runtime({.attention = AttentionBackend::Math});
    AttentionData<double> data({"", {3}, {3}, 1, 1, 2, {}});
    std::fill(data.q.begin(), data.q.end(), std::nan(""));
    data.forward(runtime.context());
    for (const double x : data.out) EXPECT_TRUE(std::isnan(x));
}

}  // namespace
}  // namespace wb::kernels
