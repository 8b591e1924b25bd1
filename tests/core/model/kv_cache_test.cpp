// SPDX-License-Identifier: Apache-2.0
#include "core/model/kv_cache.h"

#include "kernels/base/error.h"
#include "tests/core/model/tiny_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wb::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

KvCacheConfig smallCache(int64_t blocks) {
    return {.numLayers = 1, .numKvHeads = 1, .headDim = 2, .dtype = DType::F32, .numBlocks = blocks, .blockSize = 4};
}

CacheStep growOne(KvCache& cache, KvCache::SequenceId sequence, int32_t tokens) {
    const KvCache::Growth growth{sequence, tokens};
    return cache.grow(std::span(&growth, 1));
}

TEST(KvCache, handsOutSlotsBlockByBlock) {
    kernels::Runtime runtime = test::cpuRuntime();
    KvCache cache(runtime.context(), smallCache(3));
    const auto sequence = cache.create();
    const CacheStep step = growOne(cache, sequence, 6);
    EXPECT_THAT(step.slots, ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_THAT(step.keyLengths, ElementsAre(6));
    EXPECT_THAT(step.blockTables, ElementsAre(0, 1));
    EXPECT_EQ(cache.freeBlocks(), 1);
}

TEST(KvCache, forkSharesBlocksUntilOneWrites) {
    kernels::Runtime runtime = test::cpuRuntime();
    KvCache cache(runtime.context(), smallCache(4));
    const auto first = cache.create();
    growOne(cache, first, 6);
    const auto second = cache.fork(first);
    EXPECT_EQ(cache.freeBlocks(), 2) << "a fork copies nothing";
    assignFloats(runtime.context(), cache.keys(0).rows(1, 2), std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
    const CacheStep step = growOne(cache, second, 1);
    EXPECT_EQ(cache.freeBlocks(), 1) << "only the half-filled block is copied";
    EXPECT_THAT(step.blockTables, ElementsAre(0, 2));
    EXPECT_THAT(toFloats(runtime.context(), cache.keys(0).rows(2, 3)), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
    EXPECT_THAT(growOne(cache, first, 1).blockTables, ElementsAre(0, 1)) << "the last owner writes in place";
}

TEST(KvCache, releasedBlocksAreUsedAgain) {
    kernels::Runtime runtime = test::cpuRuntime();
    KvCache cache(runtime.context(), smallCache(2));
    const auto first = cache.create();
    growOne(cache, first, 8);
    const auto fork = cache.fork(first);
    cache.release(first);
    EXPECT_EQ(cache.freeBlocks(), 0) << "the fork still holds them";
    cache.release(fork);
    EXPECT_EQ(cache.freeBlocks(), 2);
}

TEST(KvCache, refusesToGrowBeyondItsBlocksAndChangesNothing) {
    kernels::Runtime runtime = test::cpuRuntime();
    KvCache cache(runtime.context(), smallCache(2));
    const auto first = cache.create();
    const auto second = cache.create();
    growOne(cache, first, 4);
    const std::vector<KvCache::Growth> growths{{first, 1}, {second, 1}};
    try {
        cache.grow(growths);
        FAIL() << "two blocks were wanted of one";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
        EXPECT_THAT(error.what(), HasSubstr("2 more blocks"));
    }
    EXPECT_EQ(cache.length(first), 4);
    EXPECT_EQ(cache.length(second), 0);
}

}  // namespace
}  // namespace wb::core
