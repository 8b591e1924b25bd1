// SPDX-License-Identifier: Apache-2.0
// A trained 260K-parameter network with logits and log-probabilities from an independent C program.
#include "core/model/language_model.h"
#include "core/model/weights.h"
#include "kernels/lm_head_loss.h"
#include "tests/core/model/tiny_model.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

fs::path storiesFolder() {
    const char* chosen = std::getenv("WHETBENCH_SHARED_DATA");
    const fs::path data = chosen != nullptr ? fs::path(chosen) : fs::path(WHETBENCH_SOURCE_DIR) / "../shared/data";
    return data / "models/stories260K";
}

struct StoriesCase {
    const char* file;
    const char* types;
    double tolerance;  // of logits and log-probabilities
};

class StoriesGolden : public testing::TestWithParam<StoriesCase> {};

TEST_P(StoriesGolden, logitsAndLogProbabilitiesMatch) {
    const auto [file, types, tolerance] = GetParam();
    const fs::path folder = storiesFolder();
    if (!fs::exists(folder / "expected.json"))
        GTEST_SKIP() << folder / "expected.json"
                     << " is absent";
    const auto expected = nlohmann::json::parse(std::ifstream(folder / "expected.json"));
    kernels::Runtime runtime = test::cpuRuntime();
    const kernels::Context& device = runtime.context();
    const ModelSource source = ModelSource::open(folder / file);
    LanguageModel model(device, source.config(), *elementTypesNamed(types));
    loadWeights(device, model, source);
    double meanChange = 0;
    size_t numPositions = 0;
    for (const auto& prompt : expected["prompts"]) {
        const auto ids = prompt["ids"].get<std::vector<int32_t>>();
        const auto count = static_cast<int32_t>(ids.size());
        const Context context{device};
        const Tensor hidden = model
                                  .forward(context, packInput(device, ids, positionsOf(std::vector<int32_t>{0, count}),
                                                              std::vector<int32_t>{0, count}))
                                  .value;
        const std::vector<float> logits = toFloats(device, model.logits(device, hidden.rows(count - 1, count)));
        const auto lastLogits = prompt["last_logits"].get<std::vector<float>>();
        ASSERT_EQ(logits.size(), lastLogits.size());
        const auto likeliest = [](const std::vector<float>& values) {
            return std::ranges::max_element(values) - values.begin();
        };
        EXPECT_EQ(likeliest(logits), likeliest(lastLogits)) << "the next token of a greedy text";
        for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], lastLogits[i], tolerance) << "token " << i;

        std::vector<int32_t> labels(ids.begin() + 1, ids.end());
        labels.push_back(kernels::kIgnoredLabel);
        const Tensor wanted = Tensor::fromInts(device, labels, kernels::MemoryOwner::Activations);
        const std::vector<float> losses = toFloats(device, model.loss(context, {hidden}, wanted, 0.0F).losses.value);
        const auto logprobs = prompt["logprob_next"].get<std::vector<float>>();
        for (size_t i = 0; i < logprobs.size(); ++i)
            ASSERT_NEAR(-losses[i], logprobs[i], tolerance) << "position " << i;
        for (size_t i = 0; i < logprobs.size(); ++i) meanChange += static_cast<double>(-losses[i] - logprobs[i]);
        numPositions += logprobs.size();
    }
    meanChange /= static_cast<double>(numPositions);
    // What perplexity changes by, as a share of it.
    EXPECT_LT(std::abs(meanChange), tolerance / 25) << meanChange;
}

INSTANTIATE_TEST_SUITE_P(Files, StoriesGolden,
                         testing::Values(StoriesCase{"hf", "f32", 1e-4},
                                         StoriesCase{"stories260K-f32.gguf", "f32", 1e-4},
                                         // Weights rounded to 8 bits of fraction: logits move by some hundredths.
                                         StoriesCase{"stories260K-bf16.gguf", "f32", 0.3},
                                         // Weights and activations to 7 bits and a sign.
                                         StoriesCase{"hf", "q8_0", 0.5},
                                         StoriesCase{"stories260K-f32.gguf", "q8_0", 0.5}));

}  // namespace
}  // namespace wb::core
