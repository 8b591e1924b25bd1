// SPDX-License-Identifier: Apache-2.0
// A trained model of the world outside, through the command line, against numbers of the program it was trained for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/app/tiny_workspace.h"

namespace wb {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::answerOf;

class StoryGoldensTest : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (!fs::exists(folder() / "expected.json"))
            GTEST_SKIP() << folder() / "expected.json"
                         << " is missing";
        expected = json::parse(test::readText(folder() / "expected.json"));
    }
    static fs::path folder() { return test::sharedData() / "models/stories260K"; }
    static std::string model() { return (folder() / GetParam()).string(); }

    json expected;
};

INSTANTIATE_TEST_SUITE_P(Formats, StoryGoldensTest, testing::Values("hf", "stories260K-f32.gguf"),
                         [](const auto& test) {
                             return std::string(test.param) == "hf" ? std::string("folder") : std::string("gguf");
                         });

TEST_P(StoryGoldensTest, greedyTextIsTheReferences) {
    for (const json& entry : expected.at("greedy")) {
        const auto prompt = entry.at("prompt").get<std::string>();
        const auto text = entry.at("text").get<std::string>();
        const auto steps = entry.at("steps").get<int64_t>();
        const json first = answerOf({"generate", "--model", model(), "--prompt", prompt, "--max-new-tokens", "1"});
        const auto promptTokens = static_cast<int64_t>(first.at("prompt_ids").size());
        EXPECT_EQ(first.at("prompt_ids").at(0), 1) << "BOS";
        EXPECT_TRUE(!prompt.empty() || promptTokens == 1) << "an empty prompt is BOS alone";
        const json answer = answerOf({"generate", "--model", model(), "--prompt", prompt, "--temperature", "0",
                                      "--max-new-tokens", std::to_string(steps - promptTokens)});
        const json& output = answer.at("outputs").at(0);
        EXPECT_EQ(static_cast<int64_t>(output.at("token_ids").size()), steps - promptTokens);
        EXPECT_EQ(output.at("logprobs").size(), output.at("token_ids").size());
        EXPECT_EQ(output.at("finish_reason"), "length");
        // The reference counts steps of its loop: it shows one token more than BOS, prompt and generated ones together.
        const std::string generated = prompt + output.at("text").get<std::string>();
        EXPECT_THAT(text, testing::StartsWith(generated));
        EXPECT_LE(text.size(), generated.size() + 8) << "nothing but that token is missing";
        EXPECT_GT(generated.size(), 400U);
    }
}

TEST_P(StoryGoldensTest, beamsOfWidthOneAreGreedy) {
    const std::vector<std::string> ask{"generate",       "--model",          model(), "--prompt",
                                       "The little dog", "--max-new-tokens", "40"};
    std::vector<std::string> math = ask;
    math.insert(math.end(), {"--attention", "math"});
    EXPECT_EQ(answerOf(ask).at("outputs").at(0).at("token_ids"), answerOf(math).at("outputs").at(0).at("token_ids"));
    std::vector<std::string> beam = ask;
    beam.insert(beam.end(), {"--num-beams", "1"});
    EXPECT_EQ(answerOf(ask).at("outputs"), answerOf(beam).at("outputs"));
}

TEST_P(StoryGoldensTest, lastLogitsAreWithinTheTolerance) {
    for (const json& entry : expected.at("prompts")) {
        const json answer = answerOf(
            {"generate", "--model", model(), "--prompt", entry.at("text"), "--max-new-tokens", "1", "--last-logits"});
        EXPECT_EQ(answer.at("prompt_ids"), entry.at("ids"));
        const json& logits = answer.at("last_logits");
        ASSERT_EQ(logits.size(), entry.at("last_logits").size());
        double worst = 0;
        for (size_t i = 0; i < logits.size(); ++i)
            worst = std::max(worst, std::abs(logits[i].get<double>() - entry.at("last_logits")[i].get<double>()));
        EXPECT_LE(worst, 1e-4);
        RecordProperty("worst", std::to_string(worst));
    }
}

TEST_P(StoryGoldensTest, perplexityOfTheTextsIsWithinTheTolerance) {
    const test::TemporaryFolder files;
    for (const json& entry : expected.at("prompts")) {
        test::writeText(files / "text.txt", entry.at("text").get<std::string>());
        const json answer = answerOf({"eval", "--model", model(), "--text", (files / "text.txt").string()});
        EXPECT_NEAR(answer.at("mean_nll").get<double>(), entry.at("mean_nll").get<double>(), 1e-4);
        EXPECT_NEAR(answer.at("perplexity").get<double>(), std::exp(entry.at("mean_nll").get<double>()),
                    1e-3 * std::exp(entry.at("mean_nll").get<double>()));
        EXPECT_EQ(answer.at("tokens").get<int64_t>(), entry.at("n_tokens").get<int64_t>() - 1);
    }
}

}  // namespace
}  // namespace wb
