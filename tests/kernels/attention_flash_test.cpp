// SPDX-License-Identifier: Apache-2.0
// The tiled kernels against the formula, over lengths, masks, biases, head groups and head dims.
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
// storage type rounds once more at the end.
template <class T>
double toleranceOf(int64_t length) {
    const double roundOff = std::numeric_limits<float>::epsilon() * (8.0 + std::sqrt(static_cast<double>(length)));
    return std::is_same_v<T, BFloat16> ? 4 * roundOff + 1.0 / 256 : 4 * roundOff;
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

template <class T>
void expectFlashEqualsMath(const AttentionCase& c) {
    SCOPED_TRACE(c.name);
    const Runtime flash({.numThreads = 2, .attention = AttentionBackend::Flash});
    const Runtime math({.numThreads = 2, .attention = AttentionBackend::Math});
    AttentionData<T> actual(c);
    AttentionData<T> expected(c);
    std::fill(actual.out.begin(), actual.out.end(), static_cast<T>(99.0F));
    actual.forward(flash.context());
    expected.forward(math.context());
    const int64_t longest = c.keyLengths.empty() ? 0 : *std::max_element(c.keyLengths.begin(), c.keyLengths.end());
    const double forward = toleranceOf<T>(longest + c.headDim);
    ASSERT_TRUE(areClose(actual.out, expected.out, forward, "out"));
    ASSERT_TRUE(areClose(actual.logSumExp, expected.logSumExp, toleranceOf<float>(longest + c.headDim), "logSumExp"));

    actual.backward(flash.context());
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

TEST(AttentionFlash, EqualsMathForEveryLengthUpTo260) {
    const std::vector<AttentionOptions> masks = maskSweep();
    for (int32_t length = 1; length <= 260; ++length) {
        const AttentionOptions& mask = masks[static_cast<size_t>(length) % masks.size()];
        const int64_t heads = int64_t{1} << (length % 3);
        expectFlashEqualsMath<float>({"length " + std::to_string(length), {length}, {length}, heads, 1, 8, mask});
        if (HasFatalFailure()) return;
    }
}

TEST(AttentionFlash, EqualsMathForEveryMaskBiasAndGroup) {
    for (const AttentionOptions& mask : maskSweep()) {
        for (const AttentionBias bias :
             {AttentionBias::None, AttentionBias::DistanceTable, AttentionBias::Alibi, AttentionBias::Dense}) {
            for (const int64_t heads : {2, 4, 8}) {
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
                expectFlashEqualsMath<float>(c);
                if (HasFatalFailure()) return;
                expectFlashEqualsMath<BFloat16>(c);
                if (HasFatalFailure()) return;
            }
        }
    }
}

TEST(AttentionFlash, EqualsMathForEveryHeadDim) {
    for (const int64_t headDim : {1, 4, 5, 8, 12, 16, 20, 32, 33, 48, 64, 80, 96, 128, 256}) {
        const AttentionCase c{
            "head dim " + std::to_string(headDim), {45, 130}, {45, 130}, 2, 1, headDim, {.isCausal = true}};
        expectFlashEqualsMath<float>(c);
        if (HasFatalFailure()) return;
        expectFlashEqualsMath<BFloat16>(c);
        if (HasFatalFailure()) return;
    }
}

// From 512 keys on, backward deals key blocks to several slices.
TEST(AttentionFlash, EqualsMathForLongSequences) {
    expectFlashEqualsMath<float>({"two slices", {40, 530}, {40, 530}, 2, 1, 8, {.isCausal = true}});
    expectFlashEqualsMath<float>({"four slices", {30}, {1100}, 2, 2, 8, {.windowLeft = 900}});
    expectFlashEqualsMath<float>({"distance table over slices",
                                  {20, 100},
                                  {700, 64},
                                  4,
                                  2,
                                  8,
                                  {.bias = AttentionBias::DistanceTable},
                                  /*tableLength=*/300});
}

TEST(AttentionFlash, EqualsMathForCrossAttentionAndHiddenRows) {
    const std::vector<std::pair<int32_t, int32_t>> lengths{{1, 200},  {200, 1}, {65, 64}, {64, 65},
                                                           {130, 40}, {3, 0},   {0, 3}};
    for (const auto& [queries, keys] : lengths) {
        for (const bool isCausal : {false, true}) {
            expectFlashEqualsMath<float>({std::to_string(queries) + " x " + std::to_string(keys),
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

TEST(AttentionFlash, DropsTheSameElementsAsMath) {
    expectFlashEqualsMath<float>(
        {"dropout", {90, 70}, {90, 70}, 4, 2, 16, {.isCausal = true, .dropout = 0.3F, .seed = 5, .offset = 1001}});
    expectFlashEqualsMath<float>({"dropout with bias gradient",
                                  {70, 20},
                                  {66, 70},
                                  2,
                                  1,
                                  8,
                                  {.softCap = 2, .bias = AttentionBias::Dense, .dropout = 0.5F, .seed = 6}});
}

TEST(AttentionFlash, BiasMayHaveTheTypeOfTheQueries) {
    const Runtime runtime({.attention = AttentionBackend::Flash});
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
}

TEST(AttentionFlash, EmptyBatch) {
    expectFlashEqualsMath<float>({"no sequence", {}, {}, 2, 1, 8, {}});
    expectFlashEqualsMath<float>({"empty sequences", {0, 0}, {0, 0}, 2, 1, 8, {}});
}

template <class T>
bool hasSameBits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

TEST(AttentionFlash, RepeatsBitForBitWithAnyThreadCount) {
    const AttentionCase c{"", {600, 40}, {600, 40}, 6, 2, 32, {.isCausal = true, .bias = AttentionBias::DistanceTable},
                          64};
    AttentionData<float> first(c);
    for (const int threads : {1, 2, 2, 3}) {
        const Runtime runtime({.numThreads = threads, .attention = AttentionBackend::Flash});
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

TEST(AttentionFlash, ASequenceAloneHasTheSameBitsAsPacked) {
    const Runtime runtime({.attention = AttentionBackend::Flash});
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

TEST(AttentionFlash, BrokenValuesAreNotHidden) {
    const Runtime runtime({.attention = AttentionBackend::Flash});
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

TEST(AttentionFlash, WorkspaceGrowsLinearly) {
    const int64_t at1k = peakOf(1024, AttentionBackend::Flash);
    const int64_t at4k = peakOf(4096, AttentionBackend::Flash);
    EXPECT_LE(static_cast<double>(at4k), 4.4 * static_cast<double>(at1k));
    EXPECT_LT(at4k, int64_t{4096} * 4096 * 4 / 4);  // far below one matrix of scores
    EXPECT_GT(peakOf(1024, AttentionBackend::Math), int64_t{1024} * 1024 * 4);
}

TEST(AttentionFlash, PlanDeviceCountsTheSamePeak) {
    for (const AttentionBackend backend : {AttentionBackend::Flash, AttentionBackend::Math}) {
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
