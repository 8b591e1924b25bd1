// SPDX-License-Identifier: Apache-2.0
#include "kernels/runtime/machine_peak.h"

#include "kernels/base/error.h"
#include "kernels/cpu/cpu_features.h"

#include <gtest/gtest.h>
#include <cstdio>
#include <cstdlib>

namespace wb::kernels {
namespace {

TEST(MachinePeak, isAPlausibleProcessor) {
    const MachinePeak peak = measureMachinePeak(1);
    EXPECT_EQ(peak.threads, 1);
    // From one SSE multiply-add a cycle at 0.5 GHz, much disturbed, to two 512-bit ones at 7 GHz.
    EXPECT_GT(peak.f32Gflops, 1);
    EXPECT_LT(peak.f32Gflops, 450);
    EXPECT_EQ(peak.f32Gflops, peak.f32GflopsOneThread);
    EXPECT_GT(peak.memoryGbPerSecond, 0.1);
    EXPECT_LT(peak.memoryGbPerSecond, 500);
    EXPECT_EQ(peak.bf16Gflops > 0, cpu::cpuFeatures().hasNativeBf16);
    EXPECT_EQ(peak.isa, cpu::cpuFeatures().isa);
    EXPECT_FALSE(peak.cpu.empty());
}

// The cap is read once per process: each case asks in a process of its own.
[[noreturn]] void printFeatures(const char* cap) {
    ::setenv("WHETBENCH_ISA", cap, 1);
    try {
        const cpu::CpuFeatures& features = cpu::cpuFeatures();
        std::fprintf(stderr, "isa %s bf16 %d\n", features.isa.c_str(), features.hasNativeBf16 ? 1 : 0);
    } catch (const Error& error) {
        std::fprintf(stderr, "refused: %s\n", error.what());
    }
    std::exit(0);
}

TEST(CpuFeatures, capLowersTheInstructionSet) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(printFeatures("sse4"), ::testing::ExitedWithCode(0), "isa sse4 bf16 0");
    EXPECT_EXIT(printFeatures("avx2"), ::testing::ExitedWithCode(0), "isa (sse4|avx2) bf16 0");
    EXPECT_EXIT(printFeatures("mmx"), ::testing::ExitedWithCode(0), "refused: WHETBENCH_ISA is 'mmx'");
}

}  // namespace
}  // namespace wb::kernels
