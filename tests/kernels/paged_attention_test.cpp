// SPDX-License-Identifier: Apache-2.0
// Attention over a block cache against contiguous attention on the same data.
#include "tests/kernels/paged_case.h"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>
#include <limits>

namespace wb::kernels {
namespace {

using testing::AttentionCase;
using testing::AttentionData;
using testing::PagedCache;
using testing::pagedCases;
using testing::toDouble;

template <class T>
void expectPagedEqualsContiguous(const AttentionCase& c, int64_t blockSize, AttentionBackend backend) {
    SCOPED_TRACE(c.name + ", block size " + std::to_string(blockSize));
    const Runtime runtime({.numThreads = 2, .attention = backend});
    const Runtime oracle({.attention = AttentionBackend::Math});
    AttentionData<T> data(c);
    data.forward(oracle.context());
    PagedCache<T> cache(runtime.context(), data, blockSize);
    std::vector<T> out(data.out.size());
    attendRows(runtime.context(), data, cache, std::vector<int32_t>(c.queryLengths.size(), 0), c.queryLengths, out);
    const double roundOff = std::is_same_v<T, double> ? 1e-15 : std::numeric_limits<float>::epsilon();
    const double storage = std::is_same_v<T, BFloat16> ? 1.0 / 128 : 0.0;
    const double tolerance = 32 * roundOff + 2 * storage;
    for (size_t i = 0; i < out.size(); ++i) {
        ASSERT_NEAR(toDouble(out[i]), toDouble(data.out[i]), tolerance) << "out[" << i << "]";
    }
}

class PagedAttention : public ::testing::TestWithParam<AttentionCase> {};

TEST_P(PagedAttention, EqualsContiguousAttention) {
    for (const int64_t blockSize : {1, 16, 48}) {
        expectPagedEqualsContiguous<float>(GetParam(), blockSize, AttentionBackend::Auto);
        expectPagedEqualsContiguous<BFloat16>(GetParam(), blockSize, AttentionBackend::Auto);
        expectPagedEqualsContiguous<float>(GetParam(), blockSize, AttentionBackend::Math);
        expectPagedEqualsContiguous<double>(GetParam(), blockSize, AttentionBackend::Auto);
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, PagedAttention, ::testing::ValuesIn(pagedCases()),
                         [](const auto& instance) { return instance.param.name; });

// One token at a time, in chunks, all at once, alone or in a batch, on one thread or more: the same bits.
void expectTheSameBits(const AttentionCase& c) {
    const Runtime one({.numThreads = 1});
    const Runtime three({.numThreads = 3});
    AttentionData<float> data(c);
    PagedCache<float> cache(one.context(), data, 16);
    std::vector<float> whole(data.out.size());
    attendRows(one.context(), data, cache, {0, 0}, {1100, 37}, whole);

    std::vector<float> chunked(data.out.size());
    std::vector<int32_t> at{0, 0};
    for (int32_t round = 0; at[0] < 1100 || at[1] < 37; ++round) {
        const int32_t step = std::vector<int32_t>{1, 200, 3, 64, 130}[static_cast<size_t>(round) % 5];
        const std::vector<int32_t> next{std::min(at[0] + step, 1100), std::min(at[1] + 5, 37)};
        attendRows(round % 2 == 0 ? one.context() : three.context(), data, cache, at, next, chunked);
        at = next;
    }
    EXPECT_EQ(std::memcmp(whole.data(), chunked.data(), whole.size() * sizeof(float)), 0);
}

TEST(PagedAttentionBits, DoNotDependOnChunksBatchOrThreads) {
    expectTheSameBits({"", {1100, 37}, {1100, 37}, 6, 2, 24, {.isCausal = true, .windowLeft = 900}});
    expectTheSameBits(
        {"", {1100, 37}, {1100, 37}, 6, 2, 24, {.isCausal = true, .bias = AttentionBias::DistanceTable}, 128});
}

TEST(PagedAttentionMemory, WorkspaceIsLinearInTheCache) {
    const auto peakOf = [](int32_t length) {
        Runtime runtime({.numThreads = 2});
        AttentionData<float> data({"", {length}, {length}, 2, 1, 16, {.isCausal = true}});
        PagedCache<float> cache(runtime.context(), data, 16);
        attendRows(runtime.context(), data, cache, {0}, {length}, data.out);
        attendRows(runtime.context(), data, cache, {length - 1}, {length}, data.out);
        return runtime.allocator().stats().peakBytes;
    };
    EXPECT_LE(static_cast<double>(peakOf(4096)), 4.4 * static_cast<double>(peakOf(1024)));
}

}  // namespace
}  // namespace wb::kernels
