// SPDX-License-Identifier: Apache-2.0
// The oracle itself against the words of kernels/attention.h, written out once more without any of its helpers.
#include "tests/kernels/attention_case.h"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;

// Query i of a sequence with numQueries queries and numKeys keys.
bool isVisible(const AttentionOptions& o, int64_t i, int64_t j, int64_t numQueries, int64_t numKeys) {
    const int64_t p = i + (numKeys - numQueries);
    if (o.isCausal && !(j <= p)) return false;
    if (o.windowLeft >= 0 && !(j >= p - o.windowLeft)) return false;
    if (o.windowRight >= 0 && !(j <= p + o.windowRight)) return false;
    return true;
}

double biasOf(const AttentionData<double>& data, int64_t h, int64_t row, int64_t j, int64_t p) {
    const auto at = [&](int64_t index) { return data.bias[static_cast<size_t>(index)]; };
    const int64_t length = data.problem.tableLength;
    switch (data.problem.options.bias) {
        case AttentionBias::Alibi: return -at(h) * std::abs(static_cast<double>(p - j));
        case AttentionBias::Dense: return at((h * data.shapeQ[0] + row) * data.shapeBias[2] + j);
        case AttentionBias::DistanceTable: {
            const int64_t index = j - p + length / 2;
            return at(h * length + (index < 0 ? 0 : index > length - 1 ? length - 1 : index));
        }
        default: return 0;
    }
}

// out and logSumExp of query i of sequence b and head h.
void expectRow(AttentionData<double>& data, size_t b, int64_t i, int64_t h) {
    const AttentionCase& c = data.problem;
    const AttentionOptions& o = c.options;
    const int64_t numQueries = c.queryLengths[b];
    const int64_t numKeys = c.keyLengths[b];
    const int64_t row = data.boundsQ[b] + i;
    const int64_t keyHead = h / (c.numHeads / c.keyValueHeads);
    const int64_t longest = *std::max_element(c.keyLengths.begin(), c.keyLengths.end());
    const double scale = o.scale == 0 ? 1 / std::sqrt(static_cast<double>(c.headDim)) : static_cast<double>(o.scale);
    double sum = 0;
    std::vector<double> out(static_cast<size_t>(c.headDim));
    for (int64_t j = 0; j < numKeys; ++j) {
        if (!isVisible(o, i, j, numQueries, numKeys)) continue;
        const int64_t key = ((data.boundsK[b] + j) * c.keyValueHeads + keyHead) * c.headDim;
        double s = 0;
        for (int64_t d = 0; d < c.headDim; ++d) {
            s += data.q[static_cast<size_t>((row * c.numHeads + h) * c.headDim + d)] *
                 data.k[static_cast<size_t>(key + d)];
        }
        s *= scale;
        if (o.softCap > 0) s = static_cast<double>(o.softCap) * std::tanh(s / static_cast<double>(o.softCap));
        const double weight = std::exp(s + biasOf(data, h, row, j, i + numKeys - numQueries));
        sum += weight;
        const auto draw = o.offset + static_cast<uint64_t>((h * data.shapeQ[0] + row) * longest + j);
        if (o.dropout > 0 && philoxUnit(philoxWord(o.seed, draw)) < o.dropout) continue;
        for (int64_t d = 0; d < c.headDim; ++d) {
            out[static_cast<size_t>(d)] +=
                weight * data.v[static_cast<size_t>(key + d)] / (1 - static_cast<double>(o.dropout));
        }
    }
    const double logSum = data.logSumExp[static_cast<size_t>(row * c.numHeads + h)];
    if (sum == 0) {
        EXPECT_EQ(logSum, -std::numeric_limits<double>::infinity());
    } else {
        EXPECT_NEAR(logSum, std::log(sum), 1e-12);
    }
    for (int64_t d = 0; d < c.headDim; ++d) {
        const double expected = sum == 0 ? 0 : out[static_cast<size_t>(d)] / sum;
        ASSERT_NEAR(data.out[static_cast<size_t>((row * c.numHeads + h) * c.headDim + d)], expected, 1e-12)
            << "sequence " << b << ", query " << i << ", head " << h;
    }
}

std::vector<AttentionCase> contractCases() {
    const std::vector<int32_t> queries{5, 0, 7, 3, 6};
    const std::vector<int32_t> keys{5, 4, 9, 0, 2};
    const auto with = [&](std::string name, AttentionOptions options, int64_t tableLength = 5) {
        return AttentionCase{std::move(name), queries, keys, 4, 2, 3, options, tableLength};
    };
    return {
        with("plain", {}),
        with("scale", {.scale = 0.25F}),
        with("causal", {.isCausal = true}),
        with("window", {.windowLeft = 2, .windowRight = 1}),
        with("window_of_itself", {.windowLeft = 0, .windowRight = 0}),
        with("causal_window", {.isCausal = true, .windowLeft = 1}),
        with("window_right_only", {.windowRight = 2}),
        with("soft_cap", {.scale = 2, .softCap = 0.75F}),
        with("distance_table", {.bias = AttentionBias::DistanceTable}),
        with("even_distance_table", {.bias = AttentionBias::DistanceTable}, 6),
        with("alibi", {.bias = AttentionBias::Alibi}),
        with("dense", {.isCausal = true, .bias = AttentionBias::Dense}),
        with("dropout", {.dropout = 0.4F, .seed = 77, .offset = 3}),
    };
}

class AttentionContract : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionContract, MathFollowsTheWords) {
    const Runtime runtime({.numThreads = 2, .attention = AttentionBackend::Math});
    AttentionData<double> data(GetParam());
    data.forward(runtime.context());
    for (size_t b = 0; b < GetParam().queryLengths.size(); ++b) {
        for (int64_t i = 0; i < GetParam().queryLengths[b]; ++i) {
            for (int64_t h = 0; h < GetParam().numHeads; ++h) {
                expectRow(data, b, i, h);
                if (HasFatalFailure()) return;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, AttentionContract, ::testing::ValuesIn(contractCases()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace wb::kernels
