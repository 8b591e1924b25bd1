// SPDX-License-Identifier: Apache-2.0
// whet doctor says which GPU there is or exactly why none can be used. The plugin is that of the emulated GPU, which
// plays drivers and devices; the management library is a fake one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/app/whet_process.h"
#include "tests/support/temporary_folder.h"

namespace wb {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// What every test is asked beside the plugin. Each test is a process of its own.
json gpuOf(const std::vector<std::pair<const char*, const char*>>& environment) {
    ::setenv("WHETBENCH_PLUGIN_DIR", EMULATED_PLUGIN_DIR, 1);
    for (const auto& [name, value] : environment) ::setenv(name, value, 1);
    const test::WhetResult result = test::runWhet({"doctor", "--json"});
    EXPECT_EQ(result.exitCode, 0) << result.err;
    return json::parse(result.out).at("gpu");
}

TEST(GpuDoctor, namesTheDeviceThatCanBeUsed) {
    const json gpu = gpuOf({{"LD_LIBRARY_PATH", FAKE_DRIVERS_DIR}});
    EXPECT_EQ(gpu.at("usable"), true);
    EXPECT_EQ(gpu.at("reason"), "");
    EXPECT_EQ(gpu.at("driver_version"), "580.159.04");
    EXPECT_EQ(gpu.at("plugin").at("built_for"), "CUDA 13.0, compute 9.0");
    ASSERT_EQ(gpu.at("devices").size(), 1U);
    const json& device = gpu.at("devices")[0];
    EXPECT_EQ(device.at("device"), "cuda:0");
    EXPECT_EQ(device.at("compute"), "9.0");
    EXPECT_GT(device.at("memory_bytes").get<int64_t>(), 0);
    ASSERT_EQ(gpu.at("now").size(), 2U);
    EXPECT_EQ(gpu.at("now")[0].at("power_w"), 540.25);
}

TEST(GpuDoctor, saysThatThereIsNoDriver) {
    const json gpu = gpuOf({{"EMULATED_CUDA_DRIVER", "0"}});
    EXPECT_EQ(gpu.at("usable"), false);
    EXPECT_THAT(gpu.at("reason").get<std::string>(), HasSubstr("no NVIDIA driver is installed"));
}

TEST(GpuDoctor, saysThatTheDriverIsTooOld) {
    const json gpu = gpuOf({{"EMULATED_CUDA_DRIVER", "12040"}});
    EXPECT_THAT(gpu.at("reason").get<std::string>(), HasSubstr("supports CUDA 12.4, the plugin needs 13.0"));
}

TEST(GpuDoctor, saysThatThereIsNoDevice) {
    const json gpu = gpuOf({{"EMULATED_CUDA_NO_DEVICE", "1"}});
    EXPECT_THAT(gpu.at("reason").get<std::string>(), HasSubstr("no NVIDIA GPU is visible"));
}

TEST(GpuDoctor, saysThatTheBuildLacksTheArchitecture) {
    const json gpu = gpuOf({{"EMULATED_CUDA_CAPABILITY", "75"}});
    EXPECT_THAT(gpu.at("reason").get<std::string>(),
                HasSubstr("has compute capability 7.5, this build has kernels for 9.0"));
}

TEST(GpuDoctor, saysThatThePluginDoesNotLoad) {
    const test::TemporaryFolder folder;
    test::writeText(folder / "libwhetbench_cuda.so", "not a shared object");
    const std::string path = folder.path().string();
    const json gpu = gpuOf({{"WHETBENCH_PLUGIN_DIR", path.c_str()}});
    EXPECT_THAT(gpu.at("reason").get<std::string>(), HasSubstr("does not load"));
    EXPECT_EQ(gpu.at("plugin").at("file"), (folder / "libwhetbench_cuda.so").string());
}

TEST(GpuDoctor, answersAlthoughTheDriverHangs) {
    const auto start = std::chrono::steady_clock::now();
    const json gpu = gpuOf({{"LD_LIBRARY_PATH", FAKE_DRIVERS_DIR}, {"FAKE_NVML", "hangs"}});
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
    EXPECT_EQ(gpu.at("usable"), true);
    EXPECT_TRUE(gpu.at("now").empty());
}

}  // namespace
}  // namespace wb
