// SPDX-License-Identifier: Apache-2.0
// whet bench: the ceilings are measured, kept, and every share of peak refers to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/app/whet_child.h"
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
    EXPECT_GE(answer.at("int8_gops").get<double>(), 0);
    EXPECT_EQ(answer.at("threads"), 1);
    EXPECT_FALSE(answer.at("cpu").get<std::string>().empty());
    EXPECT_FALSE(answer.at("isa").get<std::string>().empty());
    EXPECT_EQ(json::parse(test::readText(folder / "new" / "machine.json")), answer);
}

TEST(WhetBench, gemmMeasuresThePeakAndTimesEveryPass) {
    const TemporaryFolder folder;
    const std::string library = folder.path().string();
    const WhetResult result = runWhet(
        {"bench", "gemm", "--threads", "1", "--dtype", "f32", "--repeats", "1", "--json", "--library", library});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = json::parse(result.out);
    EXPECT_EQ(answer.at("peak"), json::parse(test::readText(folder / "machine.json")));
    std::set<std::string> passes;
    for (const json& row : answer.at("gemm")) {
        passes.insert(row.at("pass"));
        EXPECT_EQ(row.at("dtype"), "F32");
        EXPECT_GT(row.at("gflops").get<double>(), 0);
    }
    EXPECT_EQ(passes, (std::set<std::string>{"forward", "input_gradient", "weight_gradient"}));
}

// A model that takes no time worth mentioning.
constexpr const char* kTinyConfig = R"({
  "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 64,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
  "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "hidden_act": "silu", "tie_word_embeddings": false
})";

json benchTiny(std::vector<std::string> words) {
    const TemporaryFolder folder;
    test::writeText(folder / "config.json", kTinyConfig);
    words.insert(words.begin(), "bench");
    for (const std::string& word : {std::string("--config"), (folder / "config.json").string(),
                                    std::string("--threads"), std::string("1"), std::string("--json")}) {
        words.push_back(word);
    }
    const WhetResult result = runWhet(words);
    EXPECT_EQ(result.exitCode, 0) << result.err;
    return result.exitCode == 0 ? json::parse(result.out) : json();
}

std::set<std::string> opNames(const json& answer) {
    std::set<std::string> names;
    for (const json& op : answer.at("ops")) names.insert(op.at("name"));
    return names;
}

void expectSoundFigures(const json& answer, size_t repeats) {
    EXPECT_GT(answer.at("tokens_per_second").get<double>(), 0);
    ASSERT_EQ(answer.at("repeats").size(), repeats);
    EXPECT_GT(answer.at("peak_bytes").get<int64_t>(), 0);
    EXPECT_GT(answer.at("peak_rss_bytes").get<int64_t>(), answer.at("peak_bytes").get<int64_t>());
    EXPECT_GT(answer.at("percent_of_ceiling").get<double>(), 0);
    for (const char* share : {"share_in_gemm", "overhead_share", "foreign_cpu"}) {
        EXPECT_GE(answer.at(share).get<double>(), 0) << share;
        EXPECT_LE(answer.at(share).get<double>(), 1) << share;
    }
    EXPECT_EQ(answer.at("valid").get<bool>(), answer.at("why").get<std::string>().empty());
    EXPECT_GT(answer.at("ceiling").at("f32_gflops").get<double>(), 0);
    EXPECT_GT(answer.at("ceiling").at("read_gb_per_s").get<double>(), 0);
    double shares = answer.at("overhead_share").get<double>();
    for (const json& op : answer.at("ops")) shares += op.at("share").get<double>();
    EXPECT_NEAR(shares, 1, 1e-9);
}

TEST(WhetBench, trainTimesWholeSteps) {
    const json full = benchTiny({"train", "--tokens", "16", "--repeats", "3"});
    expectSoundFigures(full, 3);
    EXPECT_EQ(full.at("task"), "train");
    EXPECT_EQ(full.at("method"), "full");
    EXPECT_EQ(full.at("tokens"), 16);
    EXPECT_GT(full.at("percent_of_roof").get<double>(), 0);
    EXPECT_TRUE(opNames(full).contains("adamw"));
    EXPECT_TRUE(opNames(full).contains("lm_head_loss"));

    const json lora = benchTiny({"train", "--tokens", "16", "--repeats", "2", "--method", "lora", "--dtype", "bf16",
                                 "--activation-checkpointing", "selective"});
    expectSoundFigures(lora, 2);
    EXPECT_EQ(lora.at("method"), "lora");
    EXPECT_EQ(lora.at("dtype"), "BF16");
    EXPECT_EQ(lora.at("activation_checkpointing"), "selective");
}

TEST(WhetBench, prefillAndDecodeTimeGeneration) {
    expectSoundFigures(benchTiny({"prefill", "--tokens", "40", "--repeats", "2"}), 2);
    const json twin = benchTiny({"decode", "--tokens", "12", "--repeats", "2", "--streams", "2", "--twin"});
    expectSoundFigures(twin, 2);
    EXPECT_EQ(twin.at("streams"), 2);
    EXPECT_EQ(twin.at("twin").at("separate_repeats").size(), 2U);
    EXPECT_GT(twin.at("twin").at("ratio").get<double>(), 0);
    EXPECT_FALSE(opNames(twin).contains("adamw"));
    // Base and adapter, two sequences each: prompts are not counted, only the tokens after them.
    for (const json& op : twin.at("ops")) {
        if (op.at("name") != "embedding_forward") continue;
        EXPECT_EQ(op.at("calls").get<int64_t>() % 12, 0) << op;
    }
}

TEST(WhetBench, showsTheShapesItKnows) {
    const WhetResult result = runWhet({"bench", "configs", "--json"});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = json::parse(result.out);
    EXPECT_EQ(answer.at("30m").at("num_hidden_layers"), 8);
    EXPECT_EQ(answer.at("135m").at("hidden_size"), 576);
    EXPECT_EQ(answer.at("gpt2").at("model_type"), "gpt2");
}

TEST(WhetBench, cudaRowsAndChecksRunAtTinySizesOnTheProcessor) {
    const WhetResult result = runWhet({"bench", "cuda", "--sizes", "tiny", "--device", "cpu", "--json"});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = json::parse(result.out);
    EXPECT_EQ(answer.at("passed"), true);
    for (const json& check : answer.at("checks")) {
        EXPECT_GT(check.at("cases").get<int>(), 0) << check;
        EXPECT_LE(check.at("worst").get<double>(), 1) << check;
    }
    std::set<std::string> kinds;
    for (const json& row : answer.at("rows")) {
        kinds.insert(row.at("kind"));
        EXPECT_EQ(row.at("why"), "") << row;
        EXPECT_GT(row.at("ms").get<double>(), 0) << row;
        if (row.contains("config")) {
            EXPECT_TRUE(answer.at("configs").contains(row.at("config"))) << row;
        }
        // Random tokens: no model does better than chance at first.
        if (row.at("kind") == "train") {
            EXPECT_NEAR(row.at("loss").get<double>(), std::log(100.0), 0.5) << row;
        }
    }
    EXPECT_EQ(kinds, (std::set<std::string>{"attention", "gemm", "train", "decode", "cold_start"}));
    for (const char* ceiling : {"bf16_tflops", "read_gb_per_s"})
        EXPECT_GT(answer.at("ceiling").at(ceiling).get<double>(), 0) << ceiling;
}

TEST(WhetBench, cudaSaysWhatItNeeds) {
    const WhetResult full = runWhet({"bench", "cuda", "--device", "cpu", "--json"});
    EXPECT_EQ(full.exitCode, 2);
    EXPECT_THAT(full.err, testing::HasSubstr("--sizes tiny"));
    const WhetResult list = runWhet({"bench", "cuda", "--list", "--json"});
    ASSERT_EQ(list.exitCode, 0) << list.err;
    const json answer = json::parse(list.out);
    EXPECT_EQ(answer.at("configs").at("1b").at("num_hidden_layers"), 16);
    EXPECT_GT(answer.at("rows").size(), 20U);
}

TEST(WhetBench, whatMeasuresTheProcessorRefusesAGpu) {
    for (const char* what : {"gemm", "attention"}) {
        const WhetResult result = runWhet({"bench", what, "--device", "cuda"});
        EXPECT_EQ(result.exitCode, 2) << what;
        EXPECT_THAT(result.err, testing::HasSubstr("measures the processor only")) << what;
    }
}

json parsedLine(const std::string& out, bool isLast) {
    const size_t end = isLast ? out.size() - 1 : out.find('\n');
    const size_t begin = isLast ? out.rfind('\n', end - 1) + 1 : 0;
    return json::parse(out.substr(begin, end - begin));
}

TEST(WhetBench, attentionAnswersOnePointByItsFields) {
    const TemporaryFolder folder;
    const WhetResult result = runWhet({"bench", "attention", "--head-dim", "16", "--tokens", "64", "--heads", "4",
                                       "--kv-heads", "2", "--causal", "--backward", "--backend", "flash", "--json",
                                       "--threads", "1", "--library", folder.path().string()});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = json::parse(result.out);
    EXPECT_GT(answer.at("seconds").get<double>(), 0);
    EXPECT_GT(answer.at("gflops").get<double>(), 0);
    EXPECT_EQ(answer.at("backend"), "flash");
    EXPECT_FALSE(answer.at("reason").get<std::string>().empty());
    EXPECT_EQ(answer.at("pass"), "forward_backward");
    EXPECT_EQ(answer.at("attention").size(), 1U);
    // Twelve arrays of 64 x 4 or 64 x 2 heads of 16 values: q, out, their gradients; k, v and theirs.
    EXPECT_GT(answer.at("peak_bytes").get<int64_t>(), 4 * (4 * 64 * 4 * 16 + 4 * 64 * 2 * 16));
    EXPECT_LT(answer.at("workspace_bytes").get<int64_t>(), answer.at("peak_bytes").get<int64_t>());
}

TEST(WhetBench, attentionTellsEachFigureAsItComes) {
    const TemporaryFolder folder;
    const WhetResult result =
        runWhet({"bench", "attention", "--head-dim", "8,20", "--tokens", "16,33", "--backend", "math,flash,decode",
                 "--progress", "--repeats", "1", "--json", "--threads", "1", "--library", folder.path().string()});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    const json answer = parsedLine(result.out, true);
    const json first = parsedLine(result.out, false);
    constexpr size_t kFigures = 2 * 2 * 3 * 2;
    ASSERT_EQ(answer.at("attention").size(), kFigures);
    EXPECT_EQ(std::ranges::count(result.out, '\n'), kFigures + 1);
    EXPECT_EQ(first.at("done"), 1);
    EXPECT_EQ(first.at("total"), kFigures);
    for (const json& row : answer.at("attention")) {
        const bool isRefused = row.at("backend") == "decode";
        EXPECT_EQ(row.at("seconds").get<double>() == 0, isRefused) << row;
        EXPECT_FALSE(row.at("reason").get<std::string>().empty());
    }
}

TEST(WhetBench, attentionEndsOnATerminationSignal) {
    const TemporaryFolder folder;
    test::WhetChild child(
        {"bench", "attention", "--progress", "--json", "--threads", "1", "--library", folder.path().string()});
    const auto first = child.readLine();
    ASSERT_TRUE(first) << child.log();
    EXPECT_EQ(json::parse(*first).at("done"), 1);
    child.signal(SIGTERM);
    EXPECT_TRUE(child.endsWithin(std::chrono::seconds(20)));
    EXPECT_EQ(child.wait(), 128 + SIGTERM);
}

TEST(WhetBench, refusesWhatItCannotTime) {
    EXPECT_EQ(runWhet({"bench"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "gemm", "--dtype", "f64"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "gemm", "--repeats", "0"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "attention", "--heads", "4", "--kv-heads", "3"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "attention", "--backend", "fast"}).exitCode, 1);
    EXPECT_EQ(runWhet({"bench", "train"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "train", "--config", "30m", "--dtype", "f64"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "train", "--config", "30m", "--device", "cuda"}).exitCode, 2);
    EXPECT_EQ(runWhet({"bench", "prefill", "--config", "nothing-of-this-name"}).exitCode, 1);
    EXPECT_THAT(runWhet({"bench", "train", "--config", "30m", "--dtype", "q8_0"}).err, testing::HasSubstr("Q8_0"));
}

}  // namespace
}  // namespace wb
