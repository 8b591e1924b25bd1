// SPDX-License-Identifier: Apache-2.0
// `math` and `memory_efficient` on the device against the formula on the CPU.
#include "tests/cuda/device_bank.h"
#include "tests/cuda/device_memory.h"
#include "tests/kernels/attention_case.h"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>
#include <limits>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;
using testing::DeviceMemory;
using testing::toDouble;

template <class T>
void forwardOn(const Context& context, AttentionData<T>& data) {
    DeviceMemory memory(context);
    AttentionForwardArgs args = data.forwardArgs();
    for (ConstView* view : {&args.q, &args.k, &args.v, &args.bias}) *view = memory.place(*view);
    for (View* view : {&args.out, &args.logSumExp}) *view = memory.place(*view);
    attentionForward(context, args);
    memory.bringHome();
}

template <class T>
void backwardOn(const Context& context, AttentionData<T>& data) {
    std::fill(data.dBias.begin(), data.dBias.end(), 0.25F);
    DeviceMemory memory(context);
    AttentionBackwardArgs args = data.backwardArgs();
    for (ConstView* view : {&args.q, &args.k, &args.v, &args.bias, &args.out, &args.logSumExp, &args.dOut})
        *view = memory.place(*view);
    for (View* view : {&args.dQ, &args.dK, &args.dV, &args.dBias}) *view = memory.place(*view);
    attentionBackward(context, args);
    memory.bringHome();
}

// Largest difference against the largest value.
template <class T>
double errorOf(const std::vector<T>& actual, const std::vector<T>& expected) {
    double worst = 0;
    double largest = 1e-2;
    for (size_t i = 0; i < actual.size(); ++i) {
        const double wanted = toDouble(expected[i]);
        const double found = toDouble(actual[i]);
        if (std::isinf(wanted) && wanted == found) continue;
        if (!std::isfinite(found)) return std::numeric_limits<double>::infinity();
        worst = std::max(worst, std::abs(found - wanted));
        largest = std::max(largest, std::abs(wanted));
    }
    return worst / largest;
}

class DeviceAttentionBackends : public ::testing::TestWithParam<AttentionBackend> {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}, .attention = GetParam()});
    }

    template <class T>
    void expectEqualsMath(const AttentionCase& c) {
        SCOPED_TRACE(c.name);
        const Runtime math({.numThreads = 2, .attention = AttentionBackend::Math});
        AttentionData<T> actual(c);
        AttentionData<T> expected(c);
        std::fill(actual.out.begin(), actual.out.end(), static_cast<T>(99.0F));
        forwardOn(m_device->context(), actual);
        expected.forward(math.context());
        const double exact = 256 * std::numeric_limits<float>::epsilon();
        const double rounded = std::is_same_v<T, float> ? exact : 4.0 / 256;
        EXPECT_LE(errorOf(actual.out, expected.out), rounded);
        EXPECT_LE(errorOf(actual.logSumExp, expected.logSumExp), exact);
        backwardOn(m_device->context(), actual);
        expected.backward(math.context());
        for (float& x : expected.dBias) x += 0.25F;
        EXPECT_LE(errorOf(actual.dQ, expected.dQ), rounded);
        EXPECT_LE(errorOf(actual.dK, expected.dK), rounded);
        EXPECT_LE(errorOf(actual.dV, expected.dV), rounded);
        EXPECT_LE(errorOf(actual.dBias, expected.dBias), rounded);
    }

    std::unique_ptr<Runtime> m_device;
};

INSTANTIATE_TEST_SUITE_P(Backends, DeviceAttentionBackends,
                         ::testing::Values(AttentionBackend::Math, AttentionBackend::MemoryEfficient),
                         [](const auto& instance) { return std::string(attentionBackendName(instance.param)); });

TEST_P(DeviceAttentionBackends, EqualsMathForMasksBiasesAndGroups) {
    const std::vector<AttentionOptions> masks{{},
                                              {.isCausal = true},
                                              {.isCausal = true, .windowLeft = 17},
                                              {.scale = -0.7F, .windowLeft = 5, .windowRight = 9},
                                              {.softCap = 1.5F, .isCausal = true, .windowLeft = 70}};
    for (size_t i = 0; i < masks.size(); ++i) {
        for (const AttentionBias bias :
             {AttentionBias::None, AttentionBias::DistanceTable, AttentionBias::Alibi, AttentionBias::Dense}) {
            AttentionOptions options = masks[i];
            options.bias = bias;
            const std::string name = "mask " + std::to_string(i) + ", bias " + std::to_string(static_cast<int>(bias));
            expectEqualsMath<float>({name, {70, 0, 33, 1}, {70, 3, 33, 90}, 4, 2, 8, options, /*tableLength=*/32});
        }
        expectEqualsMath<BFloat16>({"bf16", {70, 0, 9}, {70, 3, 90}, 3, 1, 16, masks[i]});
    }
}

TEST_P(DeviceAttentionBackends, EqualsMathForAnyHeadDim) {
    for (const int64_t headDim : {1, 5, 33, 96, 260}) {
        const AttentionCase c{
            "head dim " + std::to_string(headDim), {9, 66}, {9, 66}, 2, 1, headDim, {.isCausal = true}};
        expectEqualsMath<float>(c);
        expectEqualsMath<BFloat16>(c);
    }
}

TEST_P(DeviceAttentionBackends, EqualsMathForOddLengths) {
    for (const int32_t length : {1, 2, 63, 64, 65, 130}) {
        expectEqualsMath<float>({std::to_string(length), {length}, {length}, 2, 2, 12, {.isCausal = true}});
        expectEqualsMath<float>({std::to_string(length), {length}, {17}, 1, 1, 12, {.isCausal = true}});
    }
    expectEqualsMath<float>({"no sequence", {}, {}, 2, 1, 8, {}});
    expectEqualsMath<float>({"no keys", {3}, {0}, 2, 1, 8, {}});
    expectEqualsMath<float>({"no queries", {0}, {3}, 2, 1, 8, {}});
}

TEST_P(DeviceAttentionBackends, DropsTheSameElements) {
    expectEqualsMath<float>(
        {"causal", {90, 20}, {90, 20}, 4, 2, 16, {.isCausal = true, .dropout = 0.3F, .seed = 5, .offset = 1001}});
    expectEqualsMath<float>({"dense",
                             {70, 20},
                             {66, 70},
                             2,
                             1,
                             8,
                             {.softCap = 2, .bias = AttentionBias::Dense, .dropout = 0.5F, .seed = 6}});
}

TEST_P(DeviceAttentionBackends, RepeatsBitForBitAloneAndPacked) {
    const AttentionCase c{"", {100, 40}, {100, 40}, 4, 2, 16, {.isCausal = true, .bias = AttentionBias::DistanceTable},
                          64};
    AttentionData<float> first(c);
    AttentionData<float> second(c);
    for (AttentionData<float>* data : {&first, &second}) {
        forwardOn(m_device->context(), *data);
        backwardOn(m_device->context(), *data);
    }
    EXPECT_EQ(std::memcmp(first.out.data(), second.out.data(), first.out.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(first.dQ.data(), second.dQ.data(), first.dQ.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(first.dK.data(), second.dK.data(), first.dK.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(first.dBias.data(), second.dBias.data(), first.dBias.size() * sizeof(float)), 0);
    AttentionCase firstOnly = c;
    firstOnly.queryLengths = firstOnly.keyLengths = {100};
    AttentionData<float> alone(firstOnly);
    std::copy_n(first.bias.begin(), alone.bias.size(), alone.bias.begin());
    forwardOn(m_device->context(), alone);
    EXPECT_EQ(std::memcmp(first.out.data(), alone.out.data(), alone.out.size() * sizeof(float)), 0);
}

TEST_P(DeviceAttentionBackends, BrokenValuesAreNotHidden) {
    AttentionData<float> data({"", {70}, {70}, 1, 1, 8, {.isCausal = true}});
    std::fill(data.q.begin(), data.q.end(), std::nanf(""));
    forwardOn(m_device->context(), data);
    for (const float x : data.out) ASSERT_TRUE(std::isnan(x));
}

}  // namespace
}  // namespace wb::kernels
