// SPDX-License-Identifier: Apache-2.0
// The whole path with the real program: train under fire, resume, compare, export, reload.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <bit>
#include <map>
#include <random>

#include "core/run/events.h"
#include "core/run/run_folder.h"
#include "tests/app/tiny_workspace.h"
#include "tests/app/whet_child.h"

namespace wb {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::answerOf;
using test::WhetChild;

// What the events of a run say it computed.
struct Computed {
    std::map<int64_t, std::vector<uint32_t>> lossBits;
    std::map<int64_t, uint32_t> evaluations;
    std::string weightHash;
    int64_t repeated = 0;
    bool isComplete = false;
};

Computed computedBy(const fs::path& run) {
    Computed computed;
    for (const core::Event& event : core::readEvents(run / "events.jsonl")) {
        if (const auto* step = std::get_if<core::StepDone>(&event.body)) {
            auto& bits = computed.lossBits[step->step];
            bits.push_back(std::bit_cast<uint32_t>(step->loss));
            computed.repeated += bits.size() > 1 ? 1 : 0;
        } else if (const auto* evaluated = std::get_if<core::Evaluated>(&event.body)) {
            computed.evaluations[evaluated->step] = std::bit_cast<uint32_t>(evaluated->loss);
        } else if (const auto* finished = std::get_if<core::RunFinished>(&event.body)) {
            computed.weightHash = finished->weightHash;
            computed.isComplete = finished->reason == "completed";
        }
    }
    return computed;
}

void expectEqual(const Computed& reference, const Computed& computed) {
    EXPECT_TRUE(computed.isComplete);
    ASSERT_EQ(computed.lossBits.size(), reference.lossBits.size());
    for (const auto& [step, bits] : computed.lossBits) {
        for (const uint32_t one : bits) EXPECT_EQ(one, reference.lossBits.at(step).front()) << "step " << step;
    }
    EXPECT_EQ(computed.evaluations, reference.evaluations);
    EXPECT_EQ(computed.weightHash, reference.weightHash);
}

struct FireCase {
    const char* name;
    std::vector<std::string> recipe;
    int signal;
};

class UnderFireTest : public testing::TestWithParam<FireCase> {
protected:
    static void SetUpTestSuite() { s_workspace = std::make_unique<test::TinyWorkspace>(); }
    static void TearDownTestSuite() { s_workspace.reset(); }

    std::vector<std::string> trainIn(const std::string& library) const {
        std::vector<std::string> arguments = s_workspace->trainArguments(GetParam().recipe, library);
        for (const char* word : {"--epochs", "8", "--checkpoint-every", "3", "--eval-every", "7", "--json",
                                 "--early-stopping", "0", "--quiet"})
            arguments.emplace_back(word);
        return arguments;
    }
    std::vector<std::string> resumeIn(const std::string& library) const {
        return {"train", "--resume", "last", "--json", "--quiet", "--library", s_workspace->path(library)};
    }
    fs::path runIn(const std::string& library) const {
        std::error_code absent;
        for (const auto& entry : fs::directory_iterator(s_workspace->path(library + "/runs"), absent)) {
            if (fs::exists(entry.path() / "recipe.toml")) return entry.path();
        }
        return {};
    }

    static std::unique_ptr<test::TinyWorkspace> s_workspace;
};

std::unique_ptr<test::TinyWorkspace> UnderFireTest::s_workspace;

INSTANTIATE_TEST_SUITE_P(
    Whet, UnderFireTest,
    testing::Values(
        FireCase{"fullKilled", {"--method", "full", "--learning-rate", "0.003"}, SIGKILL},
        FireCase{"loraKilled", {"--method", "lora", "--lora-rank", "4", "--lora-dropout", "0.2"}, SIGKILL},
        FireCase{"fullStopped", {"--method", "full", "--dtype", "bf16", "--learning-rate", "0.003"}, SIGTERM},
        FireCase{"loraStopped", {"--method", "lora", "--lora-rank", "4", "--lora-dropout", "0.2"}, SIGTERM}),
    [](const auto& test) { return test.param.name; });

TEST_P(UnderFireTest, interruptedAtRandomMomentsGivesTheSameBits) {
    const std::string name = GetParam().name;
    const auto start = std::chrono::steady_clock::now();
    WhetChild whole(trainIn(name + "-reference"));
    ASSERT_EQ(whole.wait(), 0) << whole.log();
    const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
    const Computed reference = computedBy(runIn(name + "-reference"));
    ASSERT_TRUE(reference.isComplete);
    ASSERT_GE(reference.lossBits.size(), 40U);

    std::mt19937 random(20240611);
    std::uniform_real_distribution<double> moment(0.0, 0.5);
    constexpr int kInterruptions = 5;
    int interruptions = 0;
    int endedWell = 0;
    int round = 0;
    while (interruptions < kInterruptions) {
        const std::string library = name + "-" + std::to_string(round++);
        while (interruptions < kInterruptions) {
            WhetChild whet(runIn(library).empty() ? trainIn(library) : resumeIn(library));
            if (!whet.endsWithin(duration * moment(random))) {
                whet.signal(GetParam().signal);
                ++interruptions;
            }
            const int code = whet.wait();
            // A stop ends well; only before the program has set up its handler does the signal end it.
            EXPECT_TRUE(code == 0 || code == 128 + GetParam().signal) << code << ": " << whet.log();
            if (code == 0) ++endedWell;
            if (!runIn(library).empty() && computedBy(runIn(library)).isComplete) break;
        }
        if (runIn(library).empty() || !computedBy(runIn(library)).isComplete) {
            WhetChild whet(runIn(library).empty() ? trainIn(library) : resumeIn(library));
            ASSERT_EQ(whet.wait(), 0) << whet.log();
        }
        const Computed computed = computedBy(runIn(library));
        expectEqual(reference, computed);
        if (GetParam().signal == SIGTERM) {
            EXPECT_EQ(computed.repeated, 0) << "a stop finishes its step and saves it";
        }
        for (const auto& entry : fs::directory_iterator(runIn(library) / "checkpoints")) {
            EXPECT_THAT(entry.path().filename().string(), testing::StartsWith("step-")) << "nothing half-written stays";
        }
    }
    EXPECT_TRUE(GetParam().signal == SIGKILL || endedWell > 0) << "some stop must come after the start";
}

// One finished LoRA run and one full one, for comparing and exporting.
class TunedTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        s_workspace = std::make_unique<test::TinyWorkspace>();
        s_lora = answerOf(s_workspace->trainArguments(
            {"--method", "lora", "--lora-rank", "4", "--learning-rate", "0.02", "--epochs", "3"}));
        s_full =
            answerOf(s_workspace->trainArguments({"--method", "full", "--learning-rate", "0.005", "--epochs", "3"}));
    }
    static void TearDownTestSuite() { s_workspace.reset(); }

    static std::vector<std::string> generate(const std::string& model, const std::string& prompt,
                                             const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments{"generate",
                                           "--model",
                                           model,
                                           "--prompt",
                                           prompt,
                                           "--max-new-tokens",
                                           "12",
                                           "--template",
                                           "raw",
                                           "--library",
                                           s_workspace->library(),
                                           "--threads",
                                           "1"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    static std::string run(const json& trained) { return trained.at("run_id").get<std::string>(); }

    static std::unique_ptr<test::TinyWorkspace> s_workspace;
    static json s_lora;
    static json s_full;
};

std::unique_ptr<test::TinyWorkspace> TunedTest::s_workspace;
json TunedTest::s_lora;
json TunedTest::s_full;

constexpr const char* kPrompts[] = {"name: Ada | job: baker | age: 33\n", "name: Gus", "Once"};

TEST_F(TunedTest, trainAnswersWithAllFields) {
    for (const json& answer : {s_lora, s_full}) {
        for (const char* field : {"run_id", "run_dir", "steps", "best", "peak_bytes", "weight_hash",
                                  "tokens_per_second", "seconds", "certificate"})
            EXPECT_TRUE(answer.contains(field)) << field;
        EXPECT_EQ(answer.at("steps"), 18) << "43 rows by 8, three epochs";
        EXPECT_EQ(answer.at("best").at("step").get<int64_t>() % 6, 0);
        EXPECT_EQ(answer.at("certificate").at("ok"), true);
        EXPECT_EQ(answer.at("weight_hash").get<std::string>().size(), 64U);
        EXPECT_TRUE(fs::exists(answer.at("run_dir").get<std::string>()));
    }
}

TEST_F(TunedTest, basePaneOfACompareIsTheBaseAloneToTheBit) {
    const std::vector<std::vector<std::string>> ways{
        {},
        {"--num-beams", "5", "--num-return", "3"},
        {"--temperature", "0.9", "--top-p", "0.95", "--num-return", "2", "--seed", "7"},
        {"--attention", "math"}};
    for (const char* prompt : kPrompts) {
        for (std::vector<std::string> way : ways) {
            const json alone = answerOf(generate(s_workspace->model(), prompt, way));
            for (const json& tuned : {s_lora, s_full}) {
                std::vector<std::string> compare = generate(s_workspace->model(), prompt, way);
                compare.front() = "compare";
                compare.insert(compare.end(), {"--adapter", run(tuned)});
                const json compared = answerOf(compare);
                const json& panes = compared.at("prompts").at(0).at("panes");
                ASSERT_EQ(panes.size(), 2U);
                EXPECT_EQ(panes[0].at("name"), "base");
                EXPECT_EQ(panes[0].at("provenance"), alone.at("provenance"));
                ASSERT_EQ(panes[0].at("outputs").size(), alone.at("outputs").size());
                for (size_t i = 0; i < alone.at("outputs").size(); ++i) {
                    EXPECT_EQ(panes[0].at("outputs")[i].at("token_ids"), alone.at("outputs")[i].at("token_ids"));
                    EXPECT_EQ(panes[0].at("outputs")[i].at("logprobs"), alone.at("outputs")[i].at("logprobs"));
                    EXPECT_EQ(panes[0].at("outputs")[i], alone.at("outputs")[i]);
                }
                EXPECT_NE(panes[1].at("outputs")[0].at("logprobs"), alone.at("outputs")[0].at("logprobs"));
                EXPECT_NE(panes[1].at("provenance"), alone.at("provenance"));
            }
        }
    }
}

TEST_F(TunedTest, tunedPaneOfACompareIsTheTunedModelAlone) {
    for (const json& tuned : {s_lora, s_full}) {
        const json alone = answerOf(generate(s_workspace->model(), kPrompts[0], {"--adapter", run(tuned)}));
        std::vector<std::string> compare = generate(s_workspace->model(), kPrompts[0], {"--adapter", run(tuned)});
        compare.front() = "compare";
        const json compared = answerOf(compare);
        const json& pane = compared.at("prompts").at(0).at("panes").at(1);
        EXPECT_EQ(pane.at("outputs"), alone.at("outputs"));
        EXPECT_EQ(pane.at("provenance"), alone.at("provenance"));
        const json& scores = pane.at("logprobs_under_other");
        ASSERT_EQ(scores.size(), 1U);
        const json& kernels = compared.at("kernels");
        EXPECT_FALSE(kernels.empty());
        for (const json& row : kernels) {
            for (const char* field : {"name", "backend", "calls", "seconds", "flops", "bytes"})
                EXPECT_TRUE(row.contains(field)) << row;
        }
    }
}

TEST_F(TunedTest, exportsReloadToTheSameGreedyAnswers) {
    const std::string peft = s_workspace->path("peft-out");
    const std::string merged = s_workspace->path("merged-out");
    const std::string whole = s_workspace->path("whole-out");
    const auto exportTo = [&](const json& tuned, const char* format, const std::string& out) {
        const json answer = answerOf(
            {"export", "--run", run(tuned), "--format", format, "--out", out, "--library", s_workspace->library()});
        EXPECT_EQ(answer.at("certificate").at("ok"), true) << answer.dump();
        EXPECT_EQ(answer.at("certificate").at("token_agreement"), 1.0);
        EXPECT_TRUE(fs::exists(fs::path(out) / "certificate.json"));
        EXPECT_FALSE(fs::exists(out + ".partial"));
    };
    exportTo(s_lora, "peft", peft);
    exportTo(s_lora, "safetensors", merged);
    exportTo(s_full, "safetensors", whole);
    for (const char* prompt : kPrompts) {
        const json lora = answerOf(generate(s_workspace->model(), prompt, {"--adapter", run(s_lora)})).at("outputs")[0];
        const json fromPeft = answerOf(generate(s_workspace->model(), prompt, {"--adapter", peft})).at("outputs")[0];
        EXPECT_EQ(fromPeft, lora) << "the adapter's files are the adapter, to the bit";
        const json fromMerged = answerOf(generate(merged, prompt)).at("outputs")[0];
        EXPECT_EQ(fromMerged.at("token_ids"), lora.at("token_ids"));
        const json full = answerOf(generate(s_workspace->model(), prompt, {"--adapter", run(s_full)})).at("outputs")[0];
        EXPECT_EQ(answerOf(generate(whole, prompt)).at("outputs")[0], full);
    }
    // A folder that holds something is left alone; a whole model has no adapter to export.
    const json again = answerOf(
        {"export", "--run", run(s_lora), "--format", "peft", "--out", peft, "--library", s_workspace->library()}, 1);
    EXPECT_THAT(again.at("error").at("message").get<std::string>(), testing::HasSubstr("is not empty"));
    const json none = answerOf({"export", "--run", run(s_full), "--format", "peft", "--out", s_workspace->path("none"),
                                "--library", s_workspace->library()},
                               1);
    EXPECT_EQ(none.at("error").at("code"), "unsupported");
    EXPECT_FALSE(fs::exists(s_workspace->path("none"))) << "nothing half-written";
    EXPECT_FALSE(fs::exists(s_workspace->path("none.partial")));
}

TEST_F(TunedTest, exportIntoAnEmptyFolderWithATrailingSlash) {
    const std::string out = s_workspace->path("made-before");
    fs::create_directories(out);
    answerOf(
        {"export", "--run", run(s_lora), "--format", "peft", "--out", out + "/", "--library", s_workspace->library()});
    EXPECT_TRUE(fs::exists(fs::path(out) / "adapter_config.json"));
}

TEST_F(TunedTest, anAdapterOfAnotherModelIsRefused) {
    // The bundled model has other shapes; a second tiny model has the same shapes and other weights.
    const json pocket = answerOf(generate("pocket", "x", {"--adapter", run(s_lora)}), 1);
    EXPECT_EQ(pocket.at("error").at("code"), "invalid_argument");
    const std::string twin = s_workspace->path("twin");
    fs::copy(s_workspace->model(), twin);
    std::string bytes = test::readText(fs::path(twin) / "model.safetensors");
    bytes[bytes.size() - 10] = static_cast<char>(bytes[bytes.size() - 10] ^ 4);
    test::writeText(fs::path(twin) / "model.safetensors", bytes);
    const json swapped = answerOf(generate(twin, "x", {"--adapter", run(s_lora)}), 1);
    EXPECT_THAT(swapped.at("error").at("message").get<std::string>(), testing::HasSubstr("tuned another model"));
}

TEST_F(TunedTest, evaluationOfTheRunsOwnDataAgreesWithTraining) {
    const json tuned = answerOf({"eval", "--model", s_workspace->model(), "--adapter", run(s_full), "--data",
                                 s_workspace->rows(), "--template", "plain", "--library", s_workspace->library()});
    for (const char* field : {"mean_nll", "perplexity", "tokens", "token_accuracy", "exact_match"})
        EXPECT_TRUE(tuned.contains(field)) << field;
    const json base =
        answerOf({"eval", "--model", s_workspace->model(), "--data", s_workspace->rows(), "--template", "plain"});
    EXPECT_LT(tuned.at("mean_nll").get<double>(), base.at("mean_nll").get<double>());
    EXPECT_EQ(tuned.at("tokens"), base.at("tokens"));
}

TEST_F(TunedTest, planNamesWhatTrainingMeasured) {
    for (const json& trained : {s_lora, s_full}) {
        const fs::path folder = trained.at("run_dir").get<std::string>();
        const json plan = answerOf({"plan", "--recipe", (folder / "recipe.toml").string()});
        EXPECT_EQ(plan.at("fits"), true);
        int64_t sum = 0;
        for (const char* owner : {"weights", "gradients", "optimizer", "activations", "kv_cache", "workspace"})
            sum += plan.at("by_owner").at(owner).get<int64_t>();
        EXPECT_EQ(sum, plan.at("peak_bytes").get<int64_t>());
        EXPECT_NEAR(plan.at("peak_bytes").get<double>(), trained.at("peak_bytes").get<double>(),
                    0.02 * trained.at("peak_bytes").get<double>());
    }
}

}  // namespace
}  // namespace wb
