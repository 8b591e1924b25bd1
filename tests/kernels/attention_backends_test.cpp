// SPDX-License-Identifier: Apache-2.0
// The O(T) backends against the formula, over lengths, masks, biases, head groups and head dims.
#include "kernels/cpu/cpu_features.h"
#include "tests/kernels/attention_case.h"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>
#include <limits>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;
using testing::toDouble;

// Error bound of a sum of `length` terms of size up to about 1: rounding of the operands and of each partial sum. The
// storage type rounds once more at the end; weights that are rounded to it, too, may tip a value to the next neighbour.
template <class T>
double toleranceOf(int64_t length) {
    const double roundOff = std::numeric_limits<float>::epsilon() * (8.0 + std::sqrt(static_cast<double>(length)));
    if (!std::is_same_v<T, BFloat16>) return 4 * roundOff;
    return 4 * roundOff + (cpu::cpuFeatures().hasFastBf16Dot ? 1.0 / 128 : 1.0 / 256);
}

// |a - b| <= tolerance * (1 + largest), element by element; -infinity equals itself.
template <class T>
::testing::AssertionResult areClose(const std::vector<T>& actual, const std::vector<T>& expected, double tolerance,
                                    const char* name) {
    double largest = 0;
    for (const T x : expected) {
        const double value = toDouble(x);
        if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
    }
    for (size_t i = 0; i < expected.size(); ++i) {
        const double a = toDouble(actual[i]);
        const double e = toDouble(expected[i]);
        if (a == e) continue;
        if (!(std::abs(a - e) <= tolerance * (1 + largest))) {
            return ::testing::AssertionFailure() << name << "[" << i << "] is " << a << ", expected " << e
                                                 << ", tolerance " << tolerance * (1 + largest);
        }
    }
    return ::testing::AssertionSuccess();
}

class AttentionBackends : public ::testing::TestWithParam<AttentionBackend> {
protected:
    template <class T>
    void expectEqualsMath(const AttentionCase& c) const;
};

INSTANTIATE_TEST_SUITE_P(Cpu, AttentionBackends,
                         ::testing::Values(AttentionBackend::Flash, AttentionBackend::MemoryEfficient),
                         [](const auto& instance) { return std::string(attentionBackendName(instance.param)); });

template <class T>
void AttentionBackends::expectEqualsMath(const AttentionCase& c) const {
    SCOPED_TRACE(c.name);
    const Runtime tested({.numThreads = 2, .attention = GetParam()});
    const Runtime math({.numThreads = 2, .attention = AttentionBackend::Math});
    AttentionData<T> actual(c);
    AttentionData<T> expected(c);
    std::fill(actual.out.begin(), actual.out.end(), static_cast<T>(99.0F));
    actual.forward(tested.context());
    expected.forward(math.context());
    const int64_t longest = c.keyLengths.empty() ? 0 : *std::max_element(c.keyLengths.begin(), c.keyLengths.end());
    const double forward = toleranceOf<T>(longest + c.headDim);
    ASSERT_TRUE(areClose(actual.out, expected.out, forward, "out"));
    ASSERT_TRUE(areClose(actual.logSumExp, expected.logSumExp, toleranceOf<float>(longest + c.headDim), "logSumExp"));

    actual.backward(tested.context());
    expected.backward(math.context());
    const int64_t rows = actual.boundsQ.back() * c.numHeads / c.keyValueHeads;
    const double backward = toleranceOf<T>(longest + rows + c.headDim);
    ASSERT_TRUE(areClose(actual.dQ, expected.dQ, backward, "dQ"));
    ASSERT_TRUE(areClose(actual.dK, expected.dK, backward, "dK"));
    ASSERT_TRUE(areClose(actual.dV, expected.dV, backward, "dV"));
    ASSERT_TRUE(areClose(actual.dBias, expected.dBias, toleranceOf<T>(rows * longest), "dBias"));
}

std::vector<AttentionOptions> maskSweep() {
    return {{},
            {.isCausal = true},
            {.isCausal = true, .windowLeft = 17},
            {.windowLeft = 5, .windowRight = 9},
            {.softCap = 1.5F, .isCausal = true, .windowLeft = 70}};
}

TEST_P(AttentionBackends, EqualsMathForEveryLengthUpTo260) {
    const std::vector<AttentionOptions> masks = maskSweep();
    for (int32_t length = 1; length <= 260; ++length) {
        const AttentionOptions& mask = masks[static_cast<size_t>(length) % masks.size()];
        const int64_t heads = int64_t{1} << (length % 3);
        expectEqualsMath<float>({"length " + std::to_string(length), {length}, {length}, heads, 1, 8, mask});
        if (HasFatalFailure()) return;
    }
}

TEST_P(AttentionBackends, EqualsMathForEveryMaskBiasAndGroup) {
    for (const AttentionOptions& mask : maskSweep()) {
        for (const AttentionBias bias :
             {AttentionBias::None, AttentionBias::DistanceTable, AttentionBias::Alibi, AttentionBias::Dense}) {
            for (const int64_t heads : {2, 4, 6}) {
                AttentionOptions options = mask;
                options.bias = bias;
                const AttentionCase c{"bias " + std::to_string(static_cast<int>(bias)) + ", heads " +
                                          std::to_string(heads) + ", left " + std::to_string(mask.windowLeft),
                                      {70, 0, 33, 1, 5},
                                      {70, 3, 33, 1, 90},
                                      heads,
                                      2,
                                      16,
                                      options,
                                      /*tableLength=*/32};
                expectEqualsMath<float>(c);
                if (HasFatalFailure()) return;
                expectEqualsMath<BFloat16>(c);
                if (HasFatalFailure()) return;
            }
        }
    }
}

TEST_P(AttentionBackends, EqualsMathForEveryHeadDim) {
    for (const int64_t headDim : {1, 4, 5, 8, 12, 16, 20, 32, 33, 48, 64, 80, 96, 128, 256}) {
        const AttentionCase c{
            "head dim " + std::to_string(headDim), {45, 130}, {45, 130}, 2, 1, headDim, {.isCausal = true}};
        expectEqualsMath<float>(c);
        if (HasFatalFailure()) return;
        expectEqualsMath<BFloat16>(c);
        if (HasFatalFailure()) return;
    }
}

// From 512 keys on, backward deals key blocks to several slices.
TEST_P(AttentionBackends, EqualsMathForLongSequences) {
    expectEqualsMath<BFloat16>({"chunks", {600}, {600}, 3, 1, 32, {.isCausal = true}});
    expectEqualsMath<float>({"two slices", {40, 530}, {40, 530}, 2, 1, 8, {.isCausal = true}});
    expectEqualsMath<float>({"four slices", {30}, {1100}, 2, 2, 8, {.windowLeft = 900}});
    expectEqualsMath<float>({"distance table over slices",
                             {20, 100},
                             {700, 64},
                             4,
                             2,
                             8,
                             {.bias = AttentionBias::DistanceTable},
                             /*tableLength=*/300});
}

TEST_P(AttentionBackends, EqualsMathForOddScales) {
    for (const float scale : {-0.7F, 0.3F}) {
        for (const AttentionBias bias : {AttentionBias::None, AttentionBias::Dense}) {
            const AttentionCase c{
                "scale", {70, 9}, {90, 9}, 3, 1, 24, {.scale = scale, .isCausal = true, .bias = bias}};
            expectEqualsMath<float>(c);
            if (HasFatalFailure()) return;
            expectEqualsMath<BFloat16>(c);
            if (HasFatalFailure()) return;
        }
    }
}

// A tile of rows then holds fewer queries than a group has heads.
TEST_P(AttentionBackends, EqualsMathForManyHeadsOnOneKey) {
    expectEqualsMath<float>({"70 heads",
                             {5, 40},
                             {7, 40},
                             70,
                             1,
                             8,
                             {.isCausal = true, .bias = AttentionBias::DistanceTable},
                             /*tableLength=*/11});
}

TEST_P(AttentionBackends, EqualsMathForCrossAttentionAndHiddenRows) {
    const std::vector<std::pair<int32_t, int32_t>> lengths{{1, 200},  {200, 1}, {65, 64}, {64, 65},
                                                           {130, 40}, {3, 0},   {0, 3}};
    for (const auto& [queries, keys] : lengths) {
        for (const bool isCausal : {false, true}) {
            expectEqualsMath<float>({std::to_string(queries) + " x " + std::to_string(keys),
                                     {queries},
                                     {keys},
                                     3,
                                     3,
                                     12,
                                     {.isCausal = isCausal}});
            if (HasFatalFailure()) return;
        }
    }
}

TEST_P(AttentionBackends, DropsTheSameElementsAsMath) {
    expectEqualsMath<float>(
        {"dropout", {90, 70}, {90, 70}, 4, 2, 16, {.isCausal = true, .dropout = 0.3F, .seed = 5, .offset = 1001}});
    expectEqualsMath<float>({"dropout with bias gradient",
                             {70, 20},
                             {66, 70},
                             2,
                             1,
                             8,
                             {.softCap = 2, .bias = AttentionBias::Dense, .dropout = 0.5F, .seed = 6}});
}

TEST_P(AttentionBackends, DropsTheSameElementsInBf16) {
    expectEqualsMath<BFloat16>(
        {"dropout", {90, 71}, {90, 70}, 4, 2, 16, {.isCausal = true, .dropout = 0.3F, .seed = 5, .offset = 1001}});
}

TEST_P(AttentionBackends, BiasMayHaveTheTypeOfTheQueries) {
    const Runtime runtime({.attention = GetParam()});
    AttentionData<BFloat16> data({"", {70}, {70}, 2, 1, 16, {.bias = AttentionBias::Dense}});
    std::vector<BFloat16> narrow(data.bias.size());
    for (size_t i = 0; i < narrow.size(); ++i) {
        narrow[i] = static_cast<BFloat16>(data.bias[i]);
        data.bias[i] = static_cast<float>(narrow[i]);
    }
    data.forward(runtime.context());
    const std::vector<float> expected = data.logSumExp;
    AttentionForwardArgs args = data.forwardArgs();
    args.bias = testing::viewOf(narrow, data.shapeBias);
    attentionForward(runtime.context(), args);
    EXPECT_EQ(data.logSumExp, expected);
    const std::vector<BFloat16> out = data.out;
    data.forward(runtime.context());
    for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(toDouble(data.out[i]), toDouble(out[i]));
}

TEST_P(AttentionBackends, EmptyBatch) {
    expectEqualsMath<float>({"no sequence", {}, {}, 2, 1, 8, {}});
    expectEqualsMath<float>({"empty sequences", {0, 0}, {0, 0}, 2, 1, 8, {}});
}

template <class T>
bool hasSameBits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

TEST_P(AttentionBackends, RepeatsBitForBitWithAnyThreadCount) {
    const AttentionCase c{"", {600, 40}, {600, 40}, 6, 2, 32, {.isCausal = true, .bias = AttentionBias::DistanceTable},
                          64};
    AttentionData<float> first(c);
    for (const int threads : {1, 2, 2, 3}) {
        const Runtime runtime({.numThreads = threads, .attention = GetParam()});
        AttentionData<float> again(c);
        again.forward(runtime.context());
        again.backward(runtime.context());
        if (threads == 1) {
            first = again;
            continue;
        }
        EXPECT_TRUE(hasSameBits(first.out, again.out));
        EXPECT_TRUE(hasSameBits(first.dQ, again.dQ));
        EXPECT_TRUE(hasSameBits(first.dK, again.dK));
        EXPECT_TRUE(hasSameBits(first.dV, again.dV));
        EXPECT_TRUE(hasSameBits(first.dBias, again.dBias));
    }
}

// Rows [begin, end) of a packed tensor.
std::vector<float> rowsOf(const std::vector<float>& values, const Shape& shape, int64_t begin, int64_t end) {
    const auto width = static_cast<std::ptrdiff_t>(shape[1] * shape[2]);
    return {values.begin() + begin * width, values.begin() + end * width};
}

TEST_P(AttentionBackends, ASequenceAloneHasTheSameBitsAsPacked) {
    const Runtime runtime({.attention = GetParam()});
    AttentionData<float> packed({"", {40, 600, 7}, {40, 600, 7}, 6, 2, 32, {.isCausal = true}});
    packed.forward(runtime.context());
    packed.backward(runtime.context());
    AttentionData<float> alone({"", {600}, {600}, 6, 2, 32, {.isCausal = true}});
    alone.q = rowsOf(packed.q, packed.shapeQ, 40, 640);
    alone.k = rowsOf(packed.k, packed.shapeK, 40, 640);
    alone.v = rowsOf(packed.v, packed.shapeK, 40, 640);
    alone.dOut = rowsOf(packed.dOut, packed.shapeQ, 40, 640);
    alone.forward(runtime.context());
    alone.backward(runtime.context());
    EXPECT_TRUE(hasSameBits(alone.out, rowsOf(packed.out, packed.shapeQ, 40, 640)));
    EXPECT_TRUE(hasSameBits(alone.dQ, rowsOf(packed.dQ, packed.shapeQ, 40, 640)));
    EXPECT_TRUE(hasSameBits(alone.dK, rowsOf(packed.dK, packed.shapeK, 40, 640)));
    EXPECT_TRUE(hasSameBits(alone.dV, rowsOf(packed.dV, packed.shapeK, 40, 640)));
}

TEST_P(AttentionBackends, BrokenValuesAreNotHidden) {
    const Runtime runtime({.attention = GetParam()});
    AttentionData<float> data({"", {70}, {70}, 1, 1, 8, {.isCausal = true}});
    std::fill(data.q.begin(), data.q.end(), std::nanf(""));
    data.forward(runtime.context());
    for (const float x : data.out) ASSERT_TRUE(std::isnan(x));
}

int64_t peakOf(int32_t length, AttentionBackend backend) {
    Runtime runtime({.numThreads = 2, .attention = backend});
    AttentionData<float> data({"", {length}, {length}, 2, 1, 16, {.isCausal = true}});
    data.forward(runtime.context());
    data.backward(runtime.context());
    return runtime.allocator().stats().peakBytes;
}

TEST_P(AttentionBackends, WorkspaceGrowsLinearly) {
    const int64_t at1k = peakOf(1024, GetParam());
    const int64_t at4k = peakOf(4096, GetParam());
    EXPECT_LE(static_cast<double>(at4k), 4.4 * static_cast<double>(at1k));
    EXPECT_LT(at4k, int64_t{4096} * 4096 * 4 / 4);  // far below one matrix of scores
    EXPECT_GT(peakOf(1024, AttentionBackend::Math), int64_t{1024} * 1024 * 4);
}

TEST_P(AttentionBackends, PlanDeviceCountsTheSamePeak) {
    for (const AttentionBackend backend : {GetParam(), AttentionBackend::Math}) {
        Runtime plan({.device = {DeviceType::Plan, 0}, .numThreads = 2, .attention = backend});
        AttentionData<float> data({"", {100}, {100}, 2, 1, 16, {.isCausal = true}});
        data.forward(plan.context());
        data.backward(plan.context());
        EXPECT_EQ(plan.allocator().stats().peakBytes, peakOf(100, backend));
        EXPECT_GT(plan.allocator().stats().peakBytes, 0);
    }
}

}  // namespace
}  // namespace wb::kernels
