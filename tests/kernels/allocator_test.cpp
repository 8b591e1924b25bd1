// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/allocator.h"

#include "kernels/base/error.h"

#include <gtest/gtest.h>
#include <cstring>
#include <vector>

namespace wb::kernels {
namespace {

size_t ownerIndex(MemoryOwner owner) {
    return static_cast<size_t>(owner);
}

TEST(Allocator, reusesAFreedBlock) {
    Allocator allocator(makeCpuMemorySource());
    void* first = nullptr;
    {
        const Buffer buffer = allocator.allocate(1000, MemoryOwner::Activations);
        first = buffer.data();
        std::memset(first, 1, 1000);
    }
    const int64_t reserved = allocator.stats().reservedBytes;
    const Buffer again = allocator.allocate(990, MemoryOwner::Activations);
    EXPECT_EQ(again.data(), first);
    EXPECT_EQ(allocator.stats().reservedBytes, reserved);
    EXPECT_EQ(again.bytes(), 990U);
}

TEST(Allocator, doesNotSpendALargeBlockOnASmallWish) {
    Allocator allocator(makeCpuMemorySource());
    { const Buffer large = allocator.allocate(64 * 1024, MemoryOwner::Activations); }
    const Buffer small = allocator.allocate(64, MemoryOwner::Activations);
    EXPECT_EQ(allocator.stats().reservedBytes, 64 * 1024 + 64);
}

TEST(Allocator, alignsForSimd) {
    Allocator allocator(makeCpuMemorySource());
    std::vector<Buffer> buffers;
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        buffers.push_back(allocator.allocate(bytes, MemoryOwner::Weights));
        EXPECT_EQ(reinterpret_cast<uintptr_t>(buffers.back().data()) % Allocator::kGranule, 0U) << bytes;
    }
}

TEST(Allocator, countsByOwnerAndKeepsThePeak) {
    Allocator allocator(makeCpuMemorySource());
    const Buffer weights = allocator.allocate(128, MemoryOwner::Weights);
    {
        const Buffer activations = allocator.allocate(1, MemoryOwner::Activations);
        const Buffer scratch = allocator.allocate(640, MemoryOwner::Workspace);
    }
    const Buffer gradients = allocator.allocate(64, MemoryOwner::Gradients);
    const MemoryStats& stats = allocator.stats();
    EXPECT_EQ(stats.liveBytes, 128 + 64);
    EXPECT_EQ(stats.peakBytes, 128 + 64 + 640);
    EXPECT_EQ(stats.peakByOwner[ownerIndex(MemoryOwner::Workspace)], 640);
    EXPECT_EQ(stats.peakByOwner[ownerIndex(MemoryOwner::Gradients)], 0);
    EXPECT_EQ(stats.liveByOwner[ownerIndex(MemoryOwner::Gradients)], 64);
    EXPECT_EQ(stats.allocations, 4);
    allocator.resetPeak();
    EXPECT_EQ(stats.peakBytes, stats.liveBytes);
}

TEST(Allocator, refusesMoreThanTheLimit) {
    Allocator allocator(makeCpuMemorySource(), 1024);
    const Buffer fits = allocator.allocate(1000, MemoryOwner::Weights);
    try {
        const Buffer tooMuch = allocator.allocate(64, MemoryOwner::Optimizer);
        FAIL() << "went over the limit";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
        EXPECT_NE(std::string(error.what()).find("64 bytes wanted for optimizer"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("limit 1024"), std::string::npos) << error.what();
    }
    EXPECT_EQ(allocator.stats().liveBytes, 1024);
}

TEST(Allocator, limitsThePlanAsWell) {
    Allocator allocator(makePlanMemorySource(), 1024);
    EXPECT_THROW(allocator.allocate(2048, MemoryOwner::Weights), Error);
}

TEST(Allocator, failsTheNthCallOnce) {
    Allocator allocator(makeCpuMemorySource());
    allocator.failAfter(2);
    const Buffer first = allocator.allocate(8, MemoryOwner::Weights);
    EXPECT_THROW(allocator.allocate(8, MemoryOwner::Weights), Error);
    const Buffer third = allocator.allocate(8, MemoryOwner::Weights);
    EXPECT_NE(third.data(), nullptr);
    EXPECT_EQ(allocator.stats().liveBytes, 128);
}

// The same sequence of wishes costs the plan exactly what it costs the machine, reuse or not.
TEST(Allocator, planCountsWhatARunCounts) {
    Allocator real(makeCpuMemorySource());
    Allocator plan(makePlanMemorySource());
    for (Allocator* allocator : {&real, &plan}) {
        std::vector<Buffer> held;
        for (size_t step = 0; step < 200; ++step) {
            const size_t bytes = (step * 7919) % 5000;
            held.push_back(allocator->allocate(bytes, step % 2 == 0 ? MemoryOwner::Weights : MemoryOwner::KvCache));
            if (step % 3 == 2) held.erase(held.begin() + static_cast<std::ptrdiff_t>(step % held.size()));
        }
    }
    EXPECT_EQ(plan.stats().peakBytes, real.stats().peakBytes);
    EXPECT_EQ(plan.stats().peakByOwner, real.stats().peakByOwner);
    EXPECT_EQ(plan.stats().allocations, real.stats().allocations);
    EXPECT_EQ(plan.stats().liveBytes, 0);
    EXPECT_TRUE(plan.isPlan());
    EXPECT_EQ(plan.allocate(100, MemoryOwner::Weights).data(), nullptr);
}

TEST(Allocator, givesCachedBlocksBack) {
    Allocator allocator(makeCpuMemorySource());
    const Buffer kept = allocator.allocate(64, MemoryOwner::Weights);
    { const Buffer gone = allocator.allocate(4096, MemoryOwner::Weights); }
    EXPECT_EQ(allocator.stats().reservedBytes, 4096 + 64);
    allocator.trim();
    EXPECT_EQ(allocator.stats().reservedBytes, 64);
}

TEST(Allocator, movedBuffersAreReleasedOnce) {
    Allocator allocator(makeCpuMemorySource());
    Buffer a = allocator.allocate(64, MemoryOwner::Weights);
    Buffer b = std::move(a);
    EXPECT_FALSE(static_cast<bool>(a));
    a = allocator.allocate(128, MemoryOwner::Weights);
    b = std::move(a);
    EXPECT_EQ(allocator.stats().liveBytes, 128);
    b = Buffer{};
    EXPECT_EQ(allocator.stats().liveBytes, 0);
}

}  // namespace
}  // namespace wb::kernels
