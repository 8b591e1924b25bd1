// SPDX-License-Identifier: Apache-2.0
// The whole path of models with an encoder through the command line: plan, train, resume, generate, compare, evaluate,
// export and reload.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>

#include "tests/app/tiny_workspace.h"
#include "tests/app/whet_child.h"
#include "tests/support/small_tokenizer.h"

namespace wb {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::answerOf;

using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// A golden model as a user has it: a folder with a tokenizer, beside rows of data.
class EncoderDecoderPath : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        const fs::path source = fs::path(WHETBENCH_SOURCE_DIR) / "tests/golden/models" / GetParam();
        fs::create_directories(model());
        for (const char* name : {"config.json", "generation_config.json", "model.safetensors"})
            fs::copy_file(source / name, fs::path(model()) / name);
        test::writeSmallTokenizer(test::smallTokenizerFor(fs::path(model()) / "config.json"), model());
        std::string rows;
        for (int i = 0; i < 30; ++i) {
            const char who = static_cast<char>('A' + i % 26);
            rows += std::string("{\"prompt\": \"who is ") + who + "?\", \"response\": \"" + who + " is number " +
                    std::to_string(i % 26) + ".\"}\n";
        }
        test::writeText(data(), rows);
    }

    std::string path(const char* name) const { return (m_folder / name).string(); }
    std::string model() const { return path("model"); }
    std::string data() const { return path("rows.jsonl"); }
    Words common() const { return {"--library", path("library"), "--threads", "1"}; }
    Words recipe(const char* method, const char* epochs = "4") const {
        return Words{"--model",
                     model(),
                     "--data",
                     data(),
                     "--method",
                     method,
                     "--epochs",
                     epochs,
                     "--batch-size",
                     "8",
                     "--learning-rate",
                     "0.01",
                     "--sample-prompts",
                     "2",
                     "--sample-max-new-tokens",
                     "8",
                     "--checkpoint-every",
                     "3"} +
               common();
    }
    json generate(const std::string& from, const Words& more = {}) const {
        return answerOf(Words{"generate", "--model", from, "--prompt", "who is D?", "--max-new-tokens", "12"} +
                        common() + more);
    }

    test::TemporaryFolder m_folder;
};

INSTANTIATE_TEST_SUITE_P(Families, EncoderDecoderPath, testing::Values("t5", "bart"),
                         [](const auto& test) { return test.param; });

TEST_P(EncoderDecoderPath, generatesGreedilySampledAndWithBeams) {
    const json greedy = generate(model(), {"--last-logits"});
    EXPECT_EQ(greedy.at("outputs").size(), 1U);
    const auto logits = greedy.at("last_logits").get<std::vector<float>>();
    ASSERT_EQ(logits.size(), 99U);
    const auto best = std::ranges::max_element(logits) - logits.begin();
    EXPECT_EQ(greedy.at("outputs")[0].at("token_ids")[0], best) << "the logits are those of the first decoder step";
    EXPECT_EQ(greedy.at("prompt_ids").back(), GetParam() == std::string("t5") ? 1 : 2) << "the end token is read, too";

    const json beams = generate(model(), {"--num-beams", "4", "--num-return", "3"});
    EXPECT_EQ(beams.at("outputs").size(), 3U);
    const json sampled = generate(model(), {"--temperature", "1", "--num-return", "2"});
    EXPECT_NE(sampled.at("outputs")[0].at("token_ids"), sampled.at("outputs")[1].at("token_ids"));
}

TEST_P(EncoderDecoderPath, theGenerationConfigDecidesWhatTheUserLeavesOpen) {
    const fs::path file = fs::path(model()) / "generation_config.json";
    json config = json::parse(test::readText(file));
    config["num_beams"] = 3;
    config["length_penalty"] = 2.0;
    config["early_stopping"] = true;
    config["no_repeat_ngram_size"] = 2;
    test::writeText(file, config.dump());
    EXPECT_THAT(generate(model()).at("provenance").at("sampler").get<std::string>(),
                testing::AllOf(testing::StartsWith("beam 3, length penalty 2, early stopping"),
                               testing::HasSubstr("no repeated 2-grams")));
    EXPECT_THAT(generate(model(), {"--num-beams", "1"}).at("provenance").at("sampler").get<std::string>(),
                testing::StartsWith("greedy"));
    config["num_beam_groups"] = 3;
    test::writeText(file, config.dump());
    const test::WhetResult refused = test::runWhet(Words{"generate", "--model", model(), "--prompt", "who"} + common());
    EXPECT_EQ(refused.exitCode, 1);
    EXPECT_THAT(refused.err, testing::HasSubstr("'num_beam_groups' 3, which is not supported"));
}

TEST_P(EncoderDecoderPath, answersBeginWithTheTokenThatWasAskedFor) {
    const json answer = generate(model(), {"--first-token", "Q"});
    EXPECT_EQ(answer.at("outputs")[0].at("text").get<std::string>().front(), 'Q');
    EXPECT_EQ(test::runWhet(Words{"generate", "--model", model(), "--prompt", "x", "--first-token", "QQ"} + common())
                  .exitCode,
              2);
}

TEST_P(EncoderDecoderPath, tunesComparesAndExports) {
    for (const char* method : {"full", "lora"}) {
        SCOPED_TRACE(method);
        const json plan = answerOf(Words{"plan"} + recipe(method));
        const json trained = answerOf(Words{"train"} + recipe(method));
        const auto peak = trained.at("peak_bytes").get<double>();
        EXPECT_NEAR(plan.at("peak_bytes").get<double>(), peak, 0.02 * peak);
        EXPECT_EQ(trained.at("certificate").at("ok"), true);
        const auto run = trained.at("run_id").get<std::string>();

        const json alone = generate(model());
        const json compared = answerOf(
            Words{"compare", "--model", model(), "--adapter", run, "--prompt", "who is D?", "--max-new-tokens", "12"} +
            common());
        const json& panes = compared.at("prompts").at(0).at("panes");
        EXPECT_EQ(panes[0].at("outputs"), alone.at("outputs")) << "the base pane is the base alone";
        EXPECT_NE(panes[1].at("outputs"), alone.at("outputs"));

        const auto lossOf = [&](const Words& more) {
            return answerOf(Words{"eval", "--model", model(), "--data", data(), "--threads", "1"} + more)
                .at("mean_nll")
                .get<double>();
        };
        EXPECT_LT(lossOf({"--adapter", run, "--library", path("library")}),
                  0.9 * lossOf({"--library", path("library")}));

        const json tuned = generate(model(), {"--adapter", run});
        EXPECT_EQ(panes[1].at("outputs"), tuned.at("outputs"));
        const std::string merged = path("merged-") + method;
        const json exported =
            answerOf(Words{"export", "--run", run, "--format", "safetensors", "--out", merged} + common());
        EXPECT_EQ(exported.at("certificate").at("ok"), true);
        EXPECT_EQ(generate(merged).at("outputs")[0].at("token_ids"), tuned.at("outputs")[0].at("token_ids"));
        if (std::string_view(method) == "full") continue;
        const std::string peft = path("peft");
        const json adapter = answerOf(Words{"export", "--run", run, "--format", "peft", "--out", peft} + common());
        EXPECT_EQ(adapter.at("certificate").at("ok"), true);
        EXPECT_EQ(generate(model(), {"--adapter", peft}).at("outputs"), tuned.at("outputs"));
    }
}

TEST_P(EncoderDecoderPath, killedAndResumedGivesTheSameWeights) {
    const json reference = answerOf(Words{"train"} + recipe("full", "20"));
    Words killed = Words{"train", "--quiet"} + recipe("full", "20");
    std::ranges::replace(killed, path("library"), path("killed"));
    {
        test::WhetChild whet(killed);
        const auto hasCheckpoint = [&] {
            std::error_code absent;
            for (const auto& entry : fs::recursive_directory_iterator(path("killed"), absent)) {
                if (entry.path().filename() == "step-000003") return true;
            }
            return false;
        };
        while (!hasCheckpoint() && !whet.endsWithin(std::chrono::milliseconds(5))) {
        }
        whet.signal(SIGKILL);
        whet.wait();
    }
    const json resumed = answerOf({"train", "--resume", "last", "--library", path("killed")});
    EXPECT_EQ(resumed.at("weight_hash"), reference.at("weight_hash"));
}

TEST_P(EncoderDecoderPath, whatMakesNoSenseIsRefusedByName) {
    test::writeText(path("text.txt"), "some running text");
    const test::WhetResult text =
        test::runWhet(Words{"eval", "--model", model(), "--text", path("text.txt")} + common());
    EXPECT_EQ(text.exitCode, 1);
    EXPECT_THAT(text.err, testing::HasSubstr("encoder-decoder"));
    const test::WhetResult lm = test::runWhet(Words{"plan", "--objective", "lm"} + recipe("full"));
    EXPECT_EQ(lm.exitCode, 1);
    EXPECT_THAT(lm.err, testing::HasSubstr("objective lm is not supported for encoder-decoders"));
}

}  // namespace
}  // namespace wb
