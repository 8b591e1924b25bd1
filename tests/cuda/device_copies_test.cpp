// SPDX-License-Identifier: Apache-2.0
// Bytes between host and device: what is sent may change at once, and nobody waits who need not.
#include "kernels/elementwise.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/plugin_loader.h"
#include "kernels/runtime/runtime.h"
#include "tests/cuda/device_bank.h"
#include "tests/cuda/emulated_waits.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cstring>
#include <numeric>

namespace wb::kernels {
namespace {

class DeviceCopiesTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (const std::string reason = testing::missingDevice(); !reason.empty()) GTEST_SKIP() << reason;
        m_runtime = std::make_unique<Runtime>(RuntimeOptions{.device = {DeviceType::Cuda}});
    }
    const Context& context() const { return m_runtime->context(); }
    Buffer allocate(size_t bytes) const { return context().allocator->allocate(bytes, MemoryOwner::Weights); }
    void send(const Buffer& target, const std::vector<float>& values) const {
        context().ops->copyFromHost(context(), target.data(), values.data(), values.size() * sizeof(float));
    }
    std::vector<float> fetch(const Buffer& source) const {
        std::vector<float> values(source.bytes() / sizeof(float));
        context().ops->copyToHost(context(), values.data(), source.data(), source.bytes());
        return values;
    }
    std::unique_ptr<Runtime> m_runtime;
};

TEST_F(DeviceCopiesTest, aLongArrayArrivesAndItsSourceMayChangeAtOnce) {
    // Beyond the page-locked memory on the way, and no multiple of its parts.
    std::vector<float> values((size_t{40} << 20) / sizeof(float) + 5);
    std::iota(values.begin(), values.end(), 1.0F);
    const std::vector<float> expected = values;
    const Buffer buffer = allocate(values.size() * sizeof(float));
    send(buffer, values);
    std::ranges::fill(values, -1.0F);
    EXPECT_EQ(fetch(buffer), expected);
}

TEST_F(DeviceCopiesTest, manyShortArraysKeepTheirOrder) {
    // Several times round the page-locked memory: 400 times 256 KiB.
    constexpr size_t kCount = 65536;
    const Buffer incoming = allocate(kCount * sizeof(float));
    const Buffer sum = allocate(kCount * sizeof(float));
    const Shape shape{kCount};
    fill(context(), {.out = {sum.data(), DType::F32, shape}});
    std::vector<float> values(kCount);
    for (int i = 1; i <= 400; ++i) {
        std::ranges::fill(values, static_cast<float>(i));
        send(incoming, values);
        add(context(), {.a = {sum.data(), DType::F32, shape},
                        .b = {incoming.data(), DType::F32, shape},
                        .out = {sum.data(), DType::F32, shape}});
    }
    EXPECT_EQ(fetch(sum), std::vector<float>(kCount, 400.0F * 401.0F / 2.0F));
}

TEST_F(DeviceCopiesTest, sendingAndReadingDoNotWaitForTheDevice) {
    if (!testing::emulatedWaits()) GTEST_SKIP() << "only the emulated device counts how often it is waited for";
    const Buffer buffer = allocate(4 * sizeof(float));
    const std::unique_ptr<HostRead> first(cudaPlugin().plugin->makeHostRead(context().stream, 16));
    const std::unique_ptr<HostRead> second(cudaPlugin().plugin->makeHostRead(context().stream, 16));
    const int64_t before = *testing::emulatedWaits();
    send(buffer, {1, 2, 3, 4});
    first->start(buffer.data(), 16);
    send(buffer, {5, 6, 7, 8});
    second->start(buffer.data(), 16);
    EXPECT_EQ(*testing::emulatedWaits(), before);
    const auto valuesOf = [](HostRead& read) {
        std::vector<float> values(4);
        std::memcpy(values.data(), read.wait(), 16);
        return values;
    };
    EXPECT_EQ(valuesOf(*first), (std::vector<float>{1, 2, 3, 4}));
    EXPECT_GT(*testing::emulatedWaits(), before);
    EXPECT_EQ(valuesOf(*second), (std::vector<float>{5, 6, 7, 8}));
}

TEST_F(DeviceCopiesTest, opsAreTimedByTheDeviceAcrossReadings) {
    const Buffer buffer = allocate(64);
    const View view{buffer.data(), DType::F32, {16}};
    Profiler& profiler = m_runtime->profiler();
    fill(context(), {.out = view, .value = 1});
    EXPECT_TRUE(profiler.summary().empty()) << "it is off";
    profiler.startTrace(8);
    add(context(), {view, view, view});
    EXPECT_EQ(profiler.summary().size(), 1U);
    add(context(), {view, view, view});
    fill(context(), {.out = view, .value = 1});
    for (const KernelSummary& row : profiler.summary()) {
        EXPECT_EQ(row.backend, "cuda");
        EXPECT_EQ(row.calls, row.name == "add" ? 2 : 1);
        EXPECT_GE(row.seconds, 0);
        EXPECT_LT(row.seconds, 10);
    }
    // Calls of a trace follow each other, also those that were read at different times.
    const std::string trace = profiler.chromeTrace();
    double last = -1;
    int events = 0;
    for (size_t at = trace.find("\"ts\":"); at != std::string::npos; at = trace.find("\"ts\":", at + 1)) {
        const double start = std::stod(trace.substr(at + 5));
        EXPECT_GE(start, last);
        last = start;
        ++events;
    }
    EXPECT_EQ(events, 3);
}

TEST_F(DeviceCopiesTest, whatTheDeviceCanGiveIsAsked) {
    const int64_t free = availableDeviceMemory({DeviceType::Cuda});
    ASSERT_GT(free, int64_t{64} << 20);
    const int64_t held = heldDeviceMemory(context());
    const Buffer buffer = allocate(size_t{8} << 20);
    EXPECT_EQ(heldDeviceMemory(context()), held + (int64_t{8} << 20));
    EXPECT_LE(availableDeviceMemory({DeviceType::Cuda}), free - (int64_t{8} << 20));
}

}  // namespace
}  // namespace wb::kernels
