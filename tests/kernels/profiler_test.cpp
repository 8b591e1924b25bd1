// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/profiler.h"

#include "kernels/elementwise.h"
#include "kernels/runtime/op_table.h"
#include "kernels/runtime/runtime.h"

#include <gtest/gtest.h>
#include <array>

namespace wb::kernels {
namespace {

class ProfilerTest : public ::testing::Test {
protected:
    void addNumbers() {
        const View view{m_data.data(), DType::F32, {4}};
        add(m_runtime.context(), {view, view, view});
    }
    void fillNumbers() { fill(m_runtime.context(), {{m_data.data(), DType::F32, {4}}, 1.0F}); }

    Runtime m_runtime{{.numThreads = 1}};
    std::array<float, 4> m_data{};
};

TEST_F(ProfilerTest, countsNothingUntilItIsOn) {
    addNumbers();
    EXPECT_TRUE(m_runtime.profiler().summary().empty());
}

TEST_F(ProfilerTest, addsUpCallsOfOneOp) {
    m_runtime.profiler().setEnabled(true);
    addNumbers();
    addNumbers();
    fillNumbers();
    double seconds = 0;
    for (const KernelSummary& row : m_runtime.profiler().summary()) {
        seconds += row.seconds;
        EXPECT_EQ(row.backend, "cpu");
        if (row.name == "add") {
            EXPECT_EQ(row.calls, 2);
            EXPECT_EQ(row.flops, 8);
            EXPECT_EQ(row.bytes, 2 * 3 * 16);
        } else {
            EXPECT_EQ(row.name, "fill");
            EXPECT_EQ(row.calls, 1);
        }
    }
    EXPECT_EQ(m_runtime.profiler().summary().size(), 2U);
    EXPECT_DOUBLE_EQ(m_runtime.profiler().totalSeconds(), seconds);
    m_runtime.profiler().reset();
    EXPECT_TRUE(m_runtime.profiler().summary().empty());
}

TEST_F(ProfilerTest, sortsByTime) {
    Profiler profiler;
    const auto start = Profiler::Clock::now();
    profiler.record("short", "cpu", "", start, start + std::chrono::milliseconds(1), {});
    profiler.record("long", "cpu", "why", start, start + std::chrono::milliseconds(5), {});
    const auto rows = profiler.summary();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].name, "long");
    EXPECT_EQ(rows[0].reason, "why");
}

TEST_F(ProfilerTest, keepsSingleCallsWhileTracing) {
    m_runtime.profiler().startTrace(2);
    for (int i = 0; i < 5; ++i) addNumbers();
    const std::string trace = m_runtime.profiler().chromeTrace();
    EXPECT_EQ(trace.find("{\"traceEvents\":["), 0U);
    size_t events = 0;
    for (size_t at = trace.find("\"name\":\"add\""); at != std::string::npos; at = trace.find("\"name\"", at + 1)) {
        ++events;
    }
    EXPECT_EQ(events, 2U);
    EXPECT_EQ(m_runtime.profiler().summary().at(0).calls, 5);
}

TEST_F(ProfilerTest, planDeviceRunsAndRecordsNothing) {
    Runtime plan({.device = {DeviceType::Plan}});
    plan.profiler().setEnabled(true);
    const View nothing{nullptr, DType::F32, {4}};
    add(plan.context(), {nothing, nothing, nothing});
    EXPECT_TRUE(plan.profiler().summary().empty());
}

TEST_F(ProfilerTest, missingEntryIsUnsupportedByName) {
    OpTable empty;
    Context context = m_runtime.context();
    context.ops = &empty;
    const View view{m_data.data(), DType::F32, {4}};
    try {
        add(context, {view, view, view});
        FAIL() << "ran without an implementation";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unsupported);
        EXPECT_NE(std::string(error.what()).find("'add'"), std::string::npos) << error.what();
    }
}

TEST(CpuOpTable, isComplete) {
    const OpTable& table = cpuOpTable();
    EXPECT_NE(table.embeddingForward.run, nullptr);
    EXPECT_NE(table.embeddingBackward.run, nullptr);
    EXPECT_NE(table.linearForward.run, nullptr);
    EXPECT_NE(table.linearBackwardInput.run, nullptr);
    EXPECT_NE(table.linearBackwardWeight.run, nullptr);
    EXPECT_NE(table.rmsNormForward.run, nullptr);
    EXPECT_NE(table.rmsNormBackward.run, nullptr);
    EXPECT_NE(table.rotary.run, nullptr);
    EXPECT_NE(table.attentionForwardMath.run, nullptr);
    EXPECT_NE(table.attentionForwardFlash.run, nullptr);
    EXPECT_NE(table.attentionBackwardMath.run, nullptr);
    EXPECT_NE(table.attentionBackwardFlash.run, nullptr);
    EXPECT_NE(table.kvCacheStore.run, nullptr);
    EXPECT_NE(table.pagedAttention.run, nullptr);
    EXPECT_NE(table.gatedActivationForward.run, nullptr);
    EXPECT_NE(table.gatedActivationBackward.run, nullptr);
    EXPECT_NE(table.add.run, nullptr);
    EXPECT_NE(table.scale.run, nullptr);
    EXPECT_NE(table.fill.run, nullptr);
    EXPECT_NE(table.cast.run, nullptr);
    EXPECT_NE(table.dropout.run, nullptr);
    EXPECT_NE(table.lmHeadLoss.run, nullptr);
    EXPECT_NE(table.globalNorm.run, nullptr);
    EXPECT_NE(table.adamW.run, nullptr);
    EXPECT_NE(table.lossSum.run, nullptr);
    EXPECT_NE(table.stepSummary.run, nullptr);
    EXPECT_NE(table.quantize.run, nullptr);
    EXPECT_NE(table.dequantize.run, nullptr);
}

}  // namespace
}  // namespace wb::kernels
