// SPDX-License-Identifier: Apache-2.0
// whet with --device cuda on the emulated GPU: what a user would run on a real one.
#include "tests/app/tiny_workspace.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cstdlib>

namespace wb {
namespace {

using nlohmann::json;
using test::answerOf;

class DevicePath : public ::testing::Test {
protected:
    DevicePath() { ::setenv("WHETBENCH_PLUGIN_DIR", WHETBENCH_EMULATED_PLUGIN_DIR, 1); }

    json trainedOn(const std::string& device) const {
        std::vector<std::string> arguments =
            m_workspace.trainArguments({"--method", "lora", "--max-steps", "3", "--lora-rank", "4"}, "library");
        *std::next(std::ranges::find(arguments, "--device")) = device;
        return answerOf(arguments);
    }

    test::TinyWorkspace m_workspace;
};

TEST_F(DevicePath, generatesWhatTheProcessorGenerates) {
    for (const char* beams : {"1", "3"}) {
        const auto outputsOn = [&](const char* device) {
            return answerOf({"generate", "--model", m_workspace.model(), "--prompt", "the plane", "--max-new-tokens",
                             "8", "--num-beams", beams, "--dtype", "f32", "--device", device})
                .at("outputs");
        };
        const json expected = outputsOn("cpu");
        const json actual = outputsOn("cuda");
        ASSERT_EQ(actual.size(), expected.size());
        EXPECT_EQ(actual.at(0).at("text"), expected.at(0).at("text")) << beams << " beams";
    }
}

TEST_F(DevicePath, aRunIsTrainedComparedAndExported) {
    const json onDevice = trainedOn("cuda");
    const json onCpu = trainedOn("cpu");
    const auto lossOf = [](const json& trained) { return trained.at("best").at("eval_loss").get<double>(); };
    EXPECT_NEAR(lossOf(onDevice), lossOf(onCpu), 1e-4);
    EXPECT_TRUE(onDevice.at("certificate").is_object()) << onDevice.dump();

    const std::string run = onDevice.at("run_dir");
    const json compared =
        answerOf({"compare", "--model", m_workspace.model(), "--adapter", run, "--prompt", "the plane",
                  "--max-new-tokens", "4", "--device", "cuda", "--library", m_workspace.library()});
    EXPECT_FALSE(compared.empty());
    const json exported =
        answerOf({"export", "--run", run, "--format", "safetensors", "--out", m_workspace.path("merged"), "--device",
                  "cuda", "--library", m_workspace.library()});
    EXPECT_TRUE(std::filesystem::exists(m_workspace.path("merged") + "/model.safetensors")) << exported.dump();
}

TEST_F(DevicePath, theBenchChecksAndTimesEverything) {
    const json bench = answerOf(
        {"bench", "cuda", "--sizes", "tiny", "--quick", "--device", "cuda", "--library", m_workspace.library()});
    EXPECT_FALSE(bench.empty());
}

}  // namespace
}  // namespace wb
