// SPDX-License-Identifier: Apache-2.0
// Flash attention on the device: against the formula in double, with at most twice (gradients: three times) the error
// of a chain of roundings to the type of q; and what must hold bit for bit.
// WHETBENCH_FULL_SWEEP=1 takes every length up to 260, which the emulated GPU needs minutes for.
#include "kernels/base/error.h"
#include "tests/cuda/device_bank.h"
#include "tests/cuda/device_memory.h"
#include "tests/cuda/naive_attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;
using testing::DeviceMemory;
using ::testing::HasSubstr;
using testing::NaiveAttention;
using testing::toDouble;

bool isFullSweep() {
    return std::getenv("WHETBENCH_FULL_SWEEP") != nullptr;
}

// Largest |a - b|; NaN if there is one, or if an infinity meets anything but itself.
template <class A, class B>
double largestError(const std::vector<A>& actual, const std::vector<B>& expected) {
    double worst = 0;
    for (size_t i = 0; i < actual.size(); ++i) {
        const double a = toDouble(actual[i]);
        const double e = toDouble(expected[i]);
        if (a == e) continue;
        const double error = std::abs(a - e);
        if (!std::isfinite(error)) return std::numeric_limits<double>::quiet_NaN();
        worst = std::max(worst, error);
    }
    return worst;
}

template <class T>
double largestValue(const std::vector<T>& values) {
    double largest = 0;
    for (const T x : values) {
        if (std::isfinite(toDouble(x))) largest = std::max(largest, std::abs(toDouble(x)));
    }
    return largest;
}

template <class T>
bool haveEqualBits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
AttentionData<double> widened(const AttentionData<T>& data) {
    AttentionData<double> wide(data.problem);
    const auto copy = [](const auto& from, std::vector<double>& to) {
        for (size_t i = 0; i < from.size(); ++i) to[i] = toDouble(from[i]);
    };
    copy(data.q, wide.q);
    copy(data.k, wide.k);
    copy(data.v, wide.v);
    copy(data.dOut, wide.dOut);
    copy(data.bias, wide.bias);
    return wide;
}

class DeviceAttention : public ::testing::Test {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_device = std::make_unique<Runtime>(
            RuntimeOptions{.device = {DeviceType::Cuda}, .attention = AttentionBackend::Flash});
    }

    template <class T>
    void forward(AttentionData<T>& data) const {
        std::fill(data.out.begin(), data.out.end(), static_cast<T>(99.0F));
        std::fill(data.logSumExp.begin(), data.logSumExp.end(), 99.0F);
        DeviceMemory memory(m_device->context());
        AttentionForwardArgs args = data.forwardArgs();
        args.q = memory.place(args.q);
        args.k = memory.place(args.k);
        args.v = memory.place(args.v);
        args.bias = memory.place(args.bias);
        args.out = memory.place(args.out);
        args.logSumExp = memory.place(args.logSumExp);
        attentionForward(m_device->context(), args);
        memory.bringHome();
    }

    // From the outputs of forward. A gradient of a bias is added to what was there.
    template <class T>
    void backward(AttentionData<T>& data) const {
        for (std::vector<T>* gradient : {&data.dQ, &data.dK, &data.dV}) {
            std::fill(gradient->begin(), gradient->end(), static_cast<T>(99.0F));
        }
        std::fill(data.dBias.begin(), data.dBias.end(), 0.5F);
        DeviceMemory memory(m_device->context());
        AttentionBackwardArgs args = data.backwardArgs();
        for (ConstView* input : {&args.q, &args.k, &args.v, &args.bias, &args.out, &args.logSumExp, &args.dOut}) {
            *input = memory.place(*input);
        }
        for (View* output : {&args.dQ, &args.dK, &args.dV, &args.dBias}) *output = memory.place(*output);
        attentionBackward(m_device->context(), args);
        memory.bringHome();
        for (float& x : data.dBias) x -= 0.5F;
    }

    // Forward and backward within the bounds.
    template <class T>
    void expectIsExact(const AttentionCase& c) const {
        AttentionData<T> data(c);
        expectIsExact(data);
    }
    template <class T>
    void expectIsExact(AttentionData<T>& data) const {
        SCOPED_TRACE(data.problem.name + (std::is_same_v<T, BFloat16> ? " BF16" : " F16"));
        AttentionData<double> oracle = widened(data);
        AttentionData<T> naive = data;
        oracle.forward(m_math.context());
        oracle.backward(m_math.context());
        NaiveAttention<T>(naive).run();
        forward(data);
        const auto expectWithin = [](const char* name, const auto& actual, const auto& expected, const auto& rough,
                                     double factor) {
            const double allowed = factor * largestError(rough, expected) + 1e-5 * (1 + largestValue(expected));
            EXPECT_LE(largestError(actual, expected), allowed) << name;
        };
        expectWithin("out", data.out, oracle.out, naive.out, 2);
        EXPECT_LE(largestError(data.logSumExp, oracle.logSumExp), 1e-5 * (1 + largestValue(oracle.logSumExp)));
        backward(data);
        expectWithin("dQ", data.dQ, oracle.dQ, naive.dQ, 3);
        expectWithin("dK", data.dK, oracle.dK, naive.dK, 3);
        expectWithin("dV", data.dV, oracle.dV, naive.dV, 3);
        if (data.hasBiasGradient()) expectWithin("dBias", data.dBias, oracle.dBias, naive.dBias, 3);
    }

    Runtime m_math{{.numThreads = 2, .attention = AttentionBackend::Math}};
    std::unique_ptr<Runtime> m_device;
};

std::vector<AttentionOptions> maskSweep() {
    return {{},
            {.isCausal = true},
            {.isCausal = true, .windowLeft = 17},
            {.windowLeft = 5, .windowRight = 9},
            {.softCap = 1.5F, .isCausal = true, .windowLeft = 70},
            {.isCausal = true, .windowLeft = 0}};
}

TEST_F(DeviceAttention, IsExactForAllLengths) {
    const std::vector<AttentionOptions> masks = maskSweep();
    const int32_t step = isFullSweep() ? 1 : 37;
    std::vector<int32_t> lengths{64, 128, 192};
    for (int32_t length = 1; length <= 260; length += step) lengths.push_back(length);
    if (isFullSweep()) lengths.insert(lengths.end(), {320, 704});
    size_t i = 0;
    for (const int32_t length : lengths) {
        const AttentionCase c{"length " + std::to_string(length), {length}, {length}, 2, 1, 64,
                              masks[i++ % masks.size()]};
        expectIsExact<BFloat16>(c);
        if (isFullSweep()) {
            AttentionCase wide = c;
            wide.headDim = 128;
            expectIsExact<BFloat16>(wide);
            expectIsExact<Float16>(wide);
        }
        if (HasFailure()) return;
    }
}

TEST_F(DeviceAttention, IsExactForHeadDims) {
    for (const int64_t dim : {1, 8, 20, 32, 48, 64, 80, 96, 128, 136, 256}) {
        const AttentionCase c{"head dim " + std::to_string(dim), {70, 3}, {81, 40}, 2, 2, dim, {.isCausal = true}};
        expectIsExact<BFloat16>(c);
        if (dim == 20 || dim == 64 || dim == 128) expectIsExact<Float16>(c);
        if (HasFailure()) return;
    }
}

TEST_F(DeviceAttention, IsExactForEveryMaskBiasAndGroup) {
    int64_t turn = 0;
    for (const AttentionOptions& mask : maskSweep()) {
        for (const AttentionBias bias :
             {AttentionBias::None, AttentionBias::DistanceTable, AttentionBias::Alibi, AttentionBias::Dense}) {
            AttentionOptions options = mask;
            options.bias = bias;
            const int64_t heads = int64_t{1} << (turn % 4);
            const int64_t dim = turn % 3 == 0 ? 128 : 64;
            const AttentionCase c{"bias " + std::to_string(static_cast<int>(bias)) + ", left " +
                                      std::to_string(mask.windowLeft) + ", heads " + std::to_string(heads),
                                  {70, 0, 33, 1, 5},
                                  {70, 3, 33, 1, 90},
                                  heads,
                                  heads > 4 ? 2 : 1,
                                  dim,
                                  options,
                                  /*tableLength=*/turn % 2 == 0 ? 32 : 257};
            expectIsExact<BFloat16>(c);
            if (HasFailure()) return;
            ++turn;
        }
    }
}

TEST_F(DeviceAttention, LargeTilesAreExact) {
    const AttentionOptions causal{.isCausal = true};
    for (const int64_t dim : {64, 128}) {
        expectIsExact<BFloat16>({"many heads, dim " + std::to_string(dim), {140}, {140}, 8, 2, dim, causal});
    }
}

TEST_F(DeviceAttention, LargeLogitsStayExact) {
    for (const AttentionOptions& options :
         std::vector<AttentionOptions>{{.scale = 15}, {.scale = -15, .isCausal = true}, {.scale = 15, .softCap = 30}}) {
        AttentionData<BFloat16> data({"scale " + std::to_string(options.scale), {65}, {65}, 1, 1, 64, options});
        expectIsExact(data);
    }
}

// Sequences of a batch know nothing of each other, NaN included.
TEST_F(DeviceAttention, SequencesAreAlone) {
    const auto filled = [](std::vector<BFloat16>& values, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            values[static_cast<size_t>(i)] = static_cast<BFloat16>(std::numeric_limits<float>::quiet_NaN());
        }
    };
    for (const AttentionOptions& options : maskSweep()) {
        AttentionData<BFloat16> batch({"", {20, 70, 3}, {20, 90, 3}, 2, 1, 64, options});
        const AttentionCase one{"", {70}, {90}, 2, 1, 64, options};
        AttentionData<BFloat16> alone(one);
        const auto cut = [](const std::vector<BFloat16>& from, int64_t begin, int64_t count) {
            return std::vector<BFloat16>(from.begin() + begin, from.begin() + begin + count);
        };
        const int64_t queries = 2 * 64;
        const int64_t keys = 64;
        alone.q = cut(batch.q, 20 * queries, 70 * queries);
        alone.k = cut(batch.k, 20 * keys, 90 * keys);
        alone.v = cut(batch.v, 20 * keys, 90 * keys);
        alone.dOut = cut(batch.dOut, 20 * queries, 70 * queries);
        for (std::vector<BFloat16>* values : {&batch.q, &batch.dOut}) {
            filled(*values, 0, 20 * queries);
            filled(*values, 90 * queries, 93 * queries);
        }
        for (std::vector<BFloat16>* values : {&batch.k, &batch.v}) {
            filled(*values, 0, 20 * keys);
            filled(*values, 110 * keys, 113 * keys);
        }
        forward(batch);
        forward(alone);
        EXPECT_TRUE(haveEqualBits(cut(batch.out, 20 * queries, 70 * queries), alone.out));
        backward(batch);
        backward(alone);
        EXPECT_TRUE(haveEqualBits(cut(batch.dQ, 20 * queries, 70 * queries), alone.dQ));
        EXPECT_TRUE(haveEqualBits(cut(batch.dK, 20 * keys, 90 * keys), alone.dK));
        EXPECT_TRUE(haveEqualBits(cut(batch.dV, 20 * keys, 90 * keys), alone.dV));
        EXPECT_TRUE(std::isfinite(largestError(alone.dK, std::vector<double>(alone.dK.size()))));
    }
}

TEST_F(DeviceAttention, WindowOverEverythingEqualsCausal) {
    AttentionData<BFloat16> causal({"", {100}, {150}, 1, 1, 128, {.isCausal = true}});
    AttentionData<BFloat16> window({"", {100}, {150}, 1, 1, 128, {.windowLeft = 150, .windowRight = 0}});
    for (AttentionData<BFloat16>* data : {&causal, &window}) {
        forward(*data);
        backward(*data);
    }
    EXPECT_TRUE(haveEqualBits(causal.out, window.out));
    EXPECT_TRUE(haveEqualBits(causal.logSumExp, window.logSumExp));
    EXPECT_TRUE(haveEqualBits(causal.dQ, window.dQ));
    EXPECT_TRUE(haveEqualBits(causal.dK, window.dK));
    EXPECT_TRUE(haveEqualBits(causal.dV, window.dV));
}

TEST_F(DeviceAttention, GroupedHeadsEqualExpandedOnes) {
    const AttentionOptions options{.isCausal = true, .windowLeft = 40};
    AttentionData<BFloat16> grouped({"", {90}, {90}, 4, 2, 64, options});
    AttentionData<BFloat16> expanded({"", {90}, {90}, 4, 4, 64, options});
    expanded.q = grouped.q;
    for (size_t i = 0; i < expanded.k.size(); ++i) {
        const size_t row = i / (4 * 64);
        const size_t head = i / 64 % 4;
        expanded.k[i] = grouped.k[(row * 2 + head / 2) * 64 + i % 64];
        expanded.v[i] = grouped.v[(row * 2 + head / 2) * 64 + i % 64];
    }
    for (AttentionData<BFloat16>* data : {&grouped, &expanded}) {
        forward(*data);
        backward(*data);
    }
    EXPECT_TRUE(haveEqualBits(grouped.out, expanded.out));
    EXPECT_TRUE(haveEqualBits(grouped.dQ, expanded.dQ));
}

TEST_F(DeviceAttention, RepeatsBitForBit) {
    for (const AttentionBias bias : {AttentionBias::DistanceTable, AttentionBias::Dense}) {
        AttentionData<BFloat16> first({"", {150, 40}, {170, 40}, 4, 2, 64, {.isCausal = true, .bias = bias}, 64});
        AttentionData<BFloat16> second = first;
        const int repeats = isFullSweep() ? 1000 : 2;
        forward(first);
        backward(first);
        for (int i = 1; i < repeats; ++i) {
            forward(second);
            backward(second);
            ASSERT_TRUE(haveEqualBits(first.out, second.out));
            ASSERT_TRUE(haveEqualBits(first.dQ, second.dQ));
            ASSERT_TRUE(haveEqualBits(first.dK, second.dK));
            ASSERT_TRUE(haveEqualBits(first.dV, second.dV));
            ASSERT_TRUE(haveEqualBits(first.dBias, second.dBias));
        }
    }
}

// More query tiles than blocks that share a table, so that a block takes several one after another.
TEST_F(DeviceAttention, LongSequencesShareTheTable) {
    const AttentionOptions options{.windowLeft = 20, .windowRight = 3, .bias = AttentionBias::DistanceTable};
    expectIsExact<BFloat16>({"long", {1100, 30}, {1100, 30}, 1, 1, 128, options, 100});
}

TEST_F(DeviceAttention, GradientsMayBeAbsent) {
    const AttentionOptions options{.isCausal = true, .bias = AttentionBias::DistanceTable};
    AttentionData<BFloat16> data({"", {50}, {50}, 2, 1, 64, options, 32});
    forward(data);
    backward(data);
    for (int missing = 0; missing < 4; ++missing) {
        DeviceMemory memory(m_device->context());
        AttentionData<BFloat16> partly = data;
        AttentionBackwardArgs args = partly.backwardArgs();
        for (ConstView* input : {&args.q, &args.k, &args.v, &args.bias, &args.out, &args.logSumExp, &args.dOut}) {
            *input = memory.place(*input);
        }
        View* outputs[] = {&args.dQ, &args.dK, &args.dV, &args.dBias};
        for (int i = 0; i < 4; ++i) *outputs[i] = i == missing ? View{} : memory.place(*outputs[i]);
        attentionBackward(m_device->context(), args);
        memory.bringHome();
        EXPECT_TRUE(haveEqualBits(data.dQ, partly.dQ)) << missing;
        EXPECT_TRUE(haveEqualBits(data.dK, partly.dK)) << missing;
        EXPECT_TRUE(haveEqualBits(data.dV, partly.dV)) << missing;
    }
}

TEST_F(DeviceAttention, RowsThatSeeNothingAreZero) {
    AttentionData<BFloat16> data({"", {70, 0, 4}, {10, 5, 0}, 2, 1, 64, {.isCausal = true}});
    for (size_t i = 0; i < 128; ++i) {  // a row that sees nothing may hold anything
        data.q[i] = data.dOut[i] = static_cast<BFloat16>(std::numeric_limits<float>::quiet_NaN());
    }
    forward(data);
    backward(data);
    for (int64_t row = 0; row < 74; ++row) {
        if (row >= 60 && row < 70) continue;
        for (int64_t i = row * 128; i < (row + 1) * 128; ++i) {
            ASSERT_EQ(toDouble(data.out[static_cast<size_t>(i)]), 0.0) << row;
            ASSERT_EQ(toDouble(data.dQ[static_cast<size_t>(i)]), 0.0) << row;
        }
        ASSERT_EQ(data.logSumExp[static_cast<size_t>(row * 2)], -std::numeric_limits<float>::infinity());
    }
    EXPECT_TRUE(std::isfinite(data.logSumExp[60 * 2]));
    for (size_t i = 0; i < data.dK.size(); ++i) {
        const bool isSeen = i < 10 * 64;
        ASSERT_TRUE(isSeen ? std::isfinite(toDouble(data.dK[i])) : toDouble(data.dK[i]) == 0.0) << i;
        ASSERT_TRUE(isSeen ? std::isfinite(toDouble(data.dV[i])) : toDouble(data.dV[i]) == 0.0) << i;
    }
}

TEST_F(DeviceAttention, PickerSaysWhatFlashLacks) {
    const auto pick = [&](const AttentionProblem& problem) {
        m_device->setAttention(AttentionBackend::Auto);
        return pickAttention(m_device->context(), problem);
    };
    const AttentionChoice flash = pick({.dtype = DType::BF16, .headDim = 128});
    EXPECT_EQ(flash.backend, AttentionBackend::Flash);
    EXPECT_EQ(pick({.dtype = DType::F16, .headDim = 64}).backend, AttentionBackend::Flash);
    EXPECT_THAT(pick({.dtype = DType::F32, .headDim = 64}).reason, HasSubstr("q is F32"));
    EXPECT_THAT(pick({.dtype = DType::BF16, .headDim = 320}).reason, HasSubstr("head dim is 320"));
    EXPECT_THAT(pick({.dtype = DType::BF16, .headDim = 64, .options = {.dropout = 0.1F}}).reason,
                HasSubstr("no dropout"));
}

}  // namespace
}  // namespace wb::kernels
