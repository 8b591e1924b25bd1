// SPDX-License-Identifier: Apache-2.0
// Attention over a block cache on the device against contiguous attention on the CPU, and its promise of bits.
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"
#include "tests/cuda/device_memory.h"
#include "tests/kernels/paged_case.h"

#include <gtest/gtest.h>
#include <cstring>
#include <limits>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;
using testing::DeviceMemory;
using testing::PagedCache;
using testing::toDouble;

class DevicePagedAttention : public ::testing::Test {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
    }

    template <class T>
    static void expectEqualsContiguous(const AttentionCase& c, int64_t blockSize, AttentionBackend backend) {
        SCOPED_TRACE(c.name + ", block size " + std::to_string(blockSize));
        const Runtime device({.device = {DeviceType::Cuda}, .attention = backend});
        const Runtime oracle({.attention = AttentionBackend::Math});
        AttentionData<T> data(c);
        data.forward(oracle.context());
        PagedCache<T, DeviceMemory> cache(device.context(), data, blockSize);
        std::vector<T> out(data.out.size());
        attendRows(device.context(), data, cache, std::vector<int32_t>(c.queryLengths.size(), 0), c.queryLengths, out);
        // Weights of probabilities are rounded to the type of q, like its products.
        const double storage = std::is_same_v<T, float> ? 0.0 : 1.0 / 128;
        const double tolerance = 64 * std::numeric_limits<float>::epsilon() + 2 * storage;
        for (size_t i = 0; i < out.size(); ++i)
            ASSERT_NEAR(toDouble(out[i]), toDouble(data.out[i]), tolerance) << "out[" << i << "]";
    }

    // One token at a time, in chunks, all at once, alone or in a batch: the same bits.
    template <class T>
    static void expectTheSameBits(const AttentionCase& c) {
        const Runtime device({.device = {DeviceType::Cuda}});
        AttentionData<T> data(c);
        PagedCache<T, DeviceMemory> cache(device.context(), data, 16);
        const std::vector<int32_t>& lengths = c.queryLengths;
        std::vector<T> whole(data.out.size());
        attendRows(device.context(), data, cache, {0, 0}, lengths, whole);
        std::vector<T> chunked(data.out.size());
        std::vector<int32_t> at{0, 0};
        for (size_t round = 0; at[0] < lengths[0] || at[1] < lengths[1]; ++round) {
            const int32_t step = std::vector<int32_t>{1, 200, 3, 64, 130}[round % 5];
            const std::vector<int32_t> next{std::min(at[0] + step, lengths[0]), std::min(at[1] + 1, lengths[1])};
            attendRows(device.context(), data, cache, at, next, chunked);
            at = next;
        }
        EXPECT_EQ(std::memcmp(whole.data(), chunked.data(), whole.size() * sizeof(T)), 0);
    }
};

TEST_F(DevicePagedAttention, EqualsContiguousAttention) {
    for (const AttentionCase& c : testing::pagedCases()) {
        expectEqualsContiguous<float>(c, 16, AttentionBackend::Auto);
        expectEqualsContiguous<BFloat16>(c, 16, AttentionBackend::Auto);
        expectEqualsContiguous<float>(c, 16, AttentionBackend::Math);
        if (HasFatalFailure()) return;
    }
}

TEST_F(DevicePagedAttention, BlocksMayHaveAnySize) {
    const AttentionCase c{"", {33, 1}, {90, 530}, 4, 2, 24, {.isCausal = true}};
    for (const int64_t blockSize : {1, 48, 256}) {
        expectEqualsContiguous<float>(c, blockSize, AttentionBackend::Auto);
        expectEqualsContiguous<BFloat16>(c, blockSize, AttentionBackend::Auto);
    }
}

TEST_F(DevicePagedAttention, BitsDoNotDependOnChunksOrBatch) {
    expectTheSameBits<BFloat16>({"", {600, 37}, {600, 37}, 6, 2, 24, {.isCausal = true, .windowLeft = 400}});
    expectTheSameBits<BFloat16>(
        {"", {600, 5}, {700, 290}, 2, 1, 80, {.isCausal = true, .bias = AttentionBias::DistanceTable}, 128});
    expectTheSameBits<BFloat16>({"", {300, 5}, {300, 5}, 3, 1, 136, {.softCap = 3, .isCausal = true}});
    expectTheSameBits<float>({"", {400, 37}, {400, 37}, 6, 2, 24, {.isCausal = true, .bias = AttentionBias::Alibi}});
}

TEST_F(DevicePagedAttention, ABoundOfTheLengthChangesNoBit) {
    const Runtime device({.device = {DeviceType::Cuda}});
    AttentionData<BFloat16> data({"", {1, 1}, {40, 700}, 4, 2, 64, {.isCausal = true}});
    PagedCache<BFloat16, DeviceMemory> cache(device.context(), data, 16);
    std::vector<BFloat16> tight(data.out.size());
    std::vector<BFloat16> loose(data.out.size());
    attendRows(device.context(), data, cache, {0, 0}, {1, 1}, tight);
    cache.maxKeyLength = 2000;
    attendRows(device.context(), data, cache, {0, 0}, {1, 1}, loose);
    EXPECT_EQ(std::memcmp(tight.data(), loose.data(), tight.size() * sizeof(BFloat16)), 0);
}

TEST_F(DevicePagedAttention, BrokenValuesAreNotHidden) {
    const Runtime device({.device = {DeviceType::Cuda}});
    for (const int32_t queries : {1, 70}) {
        AttentionData<BFloat16> data({"", {queries}, {queries}, 2, 1, 16, {.isCausal = true}});
        std::fill(data.q.begin(), data.q.end(), static_cast<BFloat16>(std::nanf("")));
        PagedCache<BFloat16, DeviceMemory> cache(device.context(), data, 16);
        attendRows(device.context(), data, cache, {0}, {queries}, data.out);
        for (const BFloat16 x : data.out) ASSERT_TRUE(std::isnan(toDouble(x)));
    }
}

}  // namespace
}  // namespace wb::kernels
