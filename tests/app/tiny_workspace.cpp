// SPDX-License-Identifier: Apache-2.0
#include "tests/app/tiny_workspace.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

namespace wb::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 6144, "hidden_size": 32,
  "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
  "hidden_act": "silu", "max_position_embeddings": 128, "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
  "initializer_range": 0.05, "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2,
  "torch_dtype": "float32"
})";

std::string factRows(int count) {
    static constexpr std::array kNames{"Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus"};
    static constexpr std::array kJobs{"baker", "sailor", "teacher", "gardener", "smith"};
    std::string text;
    for (int i = 0; i < count; ++i) {
        const auto n = static_cast<size_t>(i);
        const auto* who = kNames[n % kNames.size()];
        const auto* job = kJobs[n % kJobs.size()];
        text += fmt::format("{{\"prompt\": \"name: {} | job: {} | age: {}\", \"completion\": \"{} is a {} of {}.\"}}\n",
                            who, job, 20 + i, who, job, 20 + i);
    }
    return text;
}

}  // namespace

TinyWorkspace::TinyWorkspace() {
    const fs::path bundled = fs::path(WHETBENCH_SOURCE_DIR) / "resources/models/pocket";
    const fs::path scratch = m_folder / "scratch";
    fs::create_directories(scratch);
    for (const char* file : {"tokenizer.model", "tokenizer_config.json"}) fs::copy_file(bundled / file, scratch / file);
    writeText(scratch / "config.json", kConfig);
    std::string text;
    for (int i = 0; i < 60; ++i) text += "name: Ada | job: baker\nAda is a baker of the town by the sea.\n\n";
    writeText(m_folder / "text.txt", text);
    writeText(m_folder / "rows.jsonl", factRows(48));
    const nlohmann::json trained = answerOf({"train",
                                             "--from-config",
                                             (scratch / "config.json").string(),
                                             "--method",
                                             "full",
                                             "--objective",
                                             "lm",
                                             "--data",
                                             path("text.txt"),
                                             "--max-length",
                                             "48",
                                             "--batch-size",
                                             "4",
                                             "--learning-rate",
                                             "0.01",
                                             "--sample-prompts",
                                             "0",
                                             "--library",
                                             path("scratch-library"),
                                             "--threads",
                                             "1"});
    const fs::path checkpoints = fs::path(trained.value("run_dir", "")) / "checkpoints";
    m_model = m_folder / "model";
    std::error_code error;
    fs::copy(checkpoints / fmt::format("step-{:06}", trained.value("steps", 0)), m_model, error);
    EXPECT_FALSE(error) << "no checkpoint: " << trained.dump();
}

std::vector<std::string> TinyWorkspace::trainArguments(const std::vector<std::string>& more,
                                                       const std::string& libraryName) const {
    std::vector<std::string> arguments{"train",
                                       "--model",
                                       model(),
                                       "--data",
                                       rows(),
                                       "--template",
                                       "plain",
                                       "--threads",
                                       "1",
                                       "--batch-size",
                                       "8",
                                       "--max-length",
                                       "64",
                                       "--device",
                                       "cpu",
                                       "--library",
                                       path(libraryName),
                                       "--sample-prompts",
                                       "1",
                                       "--sample-max-new-tokens",
                                       "4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

nlohmann::json answerOf(std::vector<std::string> arguments, int exitCode) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    arguments.emplace_back("--json");
    const WhetResult result = runWhet(arguments);
    EXPECT_EQ(result.exitCode, exitCode) << result.err;
    nlohmann::json object = nlohmann::json::parse(result.out, nullptr, false);
    EXPECT_TRUE(object.is_object()) << "not one JSON object: " << result.out;
    return object.is_object() ? object : nlohmann::json::object();
}

fs::path sharedData() {
    const char* given = std::getenv("WHETBENCH_SHARED_DATA");
    return given != nullptr ? given : WHETBENCH_SOURCE_DIR "/../shared/data";
}

}  // namespace wb::test
