// SPDX-License-Identifier: Apache-2.0
#include "core/run/gpu_telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

namespace wb::core {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto kLong = 20s;  // only a broken program waits for it

class GpuTelemetryTest : public testing::Test {
protected:
    void SetUp() override { ::unsetenv("FAKE_NVML"); }
    void TearDown() override { ::unsetenv("FAKE_NVML"); }
    // Every test is a process of its own, so the library's state is fresh.
    static void breakDriver(const char* how) { ::setenv("FAKE_NVML", how, 1); }
    static GpuTelemetryOptions fake() {
        return {.interval = 2ms, .pciAddress = {}, .device = {}, .library = FAKE_NVML};
    }
};

TEST_F(GpuTelemetryTest, tellsWhatEachGpuDoes) {
    const GpuTelemetry telemetry(fake());
    const GpuSnapshot snapshot = telemetry.first(kLong);
    EXPECT_EQ(snapshot.reason, "");
    EXPECT_EQ(snapshot.driver, "580.159.04");
    ASSERT_EQ(snapshot.gpus.size(), 2U);
    const GpuReading expected{.device = "gpu 0",
                              .name = "Fake GPU A",
                              .utilisation = 0.87,
                              .memoryUsed = int64_t{1} << 30,
                              .memoryTotal = int64_t{16} << 30,
                              .powerWatts = 540.25,
                              .powerLimitWatts = 700.0,
                              .temperatureCelsius = 61.0,
                              .clockMhz = 1980.0,
                              .memoryClockMhz = 3201.0};
    EXPECT_EQ(snapshot.gpus[0], expected);
    EXPECT_EQ(snapshot.gpus[1].name, "Fake GPU B");
    EXPECT_EQ(snapshot.gpus[1].clockMhz, 1981.0);
}

TEST_F(GpuTelemetryTest, findsTheGpuOfARunByItsAddress) {
    GpuTelemetryOptions options = fake();
    options.pciAddress = "0000:3B:00.0";
    options.device = "cuda:0";
    const GpuTelemetry telemetry(options);
    const GpuSnapshot snapshot = telemetry.first(kLong);
    ASSERT_EQ(snapshot.gpus.size(), 1U);
    EXPECT_EQ(snapshot.gpus[0].device, "cuda:0");
    EXPECT_EQ(snapshot.gpus[0].name, "Fake GPU B");

    options.pciAddress = "0000:FF:00.0";
    EXPECT_THAT(GpuTelemetry(options).first(kLong).reason, HasSubstr("no such GPU"));
}

TEST_F(GpuTelemetryTest, goesOnAsking) {
    const GpuTelemetry telemetry(fake());
    const auto before = telemetry.first(kLong).time;
    while (telemetry.latest().time == before) std::this_thread::yield();
    EXPECT_EQ(telemetry.latest().gpus.size(), 2U);
}

TEST_F(GpuTelemetryTest, whatIsNotToldIsAbsent) {
    breakDriver("sparse");
    const GpuTelemetry telemetry(fake());
    const GpuSnapshot snapshot = telemetry.first(kLong);
    ASSERT_EQ(snapshot.gpus.size(), 2U);
    EXPECT_EQ(snapshot.gpus[0].powerWatts, std::nullopt);
    EXPECT_EQ(snapshot.gpus[0].utilisation, std::nullopt);
    EXPECT_EQ(snapshot.gpus[0].temperatureCelsius, 61.0);
}

TEST_F(GpuTelemetryTest, saysWhyThereIsNothing) {
    EXPECT_THAT(GpuTelemetry({.library = "libno-such-driver.so.1"}).first(kLong).reason, HasSubstr("not there"));
    EXPECT_THAT(GpuTelemetry({.library = "libm.so.6"}).first(kLong).reason, HasSubstr("no management library"));
    breakDriver("absent");
    EXPECT_THAT(GpuTelemetry(fake()).first(kLong).reason, HasSubstr("NVML error 9"));
}

TEST_F(GpuTelemetryTest, aHangingDriverHoldsNobodyUp) {
    breakDriver("hangs");
    const auto start = std::chrono::steady_clock::now();
    {
        const GpuTelemetry telemetry(fake());
        EXPECT_THAT(telemetry.first(30ms).reason, HasSubstr("does not answer"));
        EXPECT_TRUE(telemetry.latest().gpus.empty());
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

}  // namespace
}  // namespace wb::core
