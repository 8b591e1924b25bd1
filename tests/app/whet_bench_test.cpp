// SPDX-License-Identifier: Apache-2.0
// whet bench: the ceilings are measured, kept, and every share of peak refers to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/app/whet_process.h"
#include "tests/support/temporary_folder.h"

namespace wb {
namespace {

using nlohmann::json;
using test::runWhet;
using test::TemporaryFolder;
using test::WhetResult;

TEST(WhetBench, peakIsAnsweredAndKept) {
    const TemporaryFolder folder;
    const std::string library = (folder / "new").string();
    const WhetResult result = runWhet({"bench", "peak", "--threads", "1", "--json", "--library", library});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = json::parse(result.out);
    EXPECT_GT(answer.at("f32_gflops").get<double>(), 0);
    EXPECT_GT(answer.at("memory_gb_per_s").get<double>(), 0);
    EXPECT_GE(answer.at("bf16_gflops").get<double>(), 0);
    EXPECT_EQ(answer.at("threads"), 1);
    EXPECT_FALSE(answer.at("cpu").get<std::string>().empty());
    EXPECT_FALSE(answer.at("isa").get<std::string>().empty());
    EXPECT_EQ(json::parse(test::readText(folder / "new" / "machine.json")), answer);
}

TEST(WhetBench, gemmUsesTheKeptPeakAndTimesEveryPass) {
    const TemporaryFolder folder;
    const std::string library = folder.path().string();
    ASSERT_EQ(runWhet({"bench", "peak", "--threads", "1", "--library", library}).exitCode, 0);
    const json kept = json::parse(test::readText(folder / "machine.json"));
    const WhetResult result = runWhet(
        {"bench", "gemm", "--threads", "1", "--dtype", "f32", "--repeats", "1", "--json", "--library", library});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = json::parse(result.out);
    EXPECT_EQ(answer.at("peak"), kept);
    std::set<std::string> passes;
    for (const json& row : answer.at("gemm")) {
        passes.insert(row.at("pass"));
        EXPECT_EQ(row.at("dtype"), "F32");
        EXPECT_GT(row.at("gflops").get<double>(), 0);
    }
    EXPECT_EQ(passes, (std::set<std::string>{"forward", "input_gradient", "weight_gradient"}));
}

TEST(WhetBench, damagedPeakIsMeasuredAnew) {
    const TemporaryFolder folder;
    test::writeText(folder / "machine.json", "{\"f32_gflops\": ");
    const WhetResult result = runWhet({"bench", "gemm", "--threads", "1", "--dtype", "f32", "--repeats", "1", "--json",
                                       "--library", folder.path().string()});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    EXPECT_GT(json::parse(test::readText(folder / "machine.json")).at("f32_gflops").get<double>(), 0);
}

TEST(WhetBench, refusesWhatItCannotTime) {
    EXPECT_EQ(runWhet({"bench"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "gemm", "--dtype", "f64"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "gemm", "--repeats", "0"}).exitCode, 2);
}

}  // namespace
}  // namespace wb
