// SPDX-License-Identifier: Apache-2.0
// What the commands of the engine answer to a script that asks them wrongly: the code, one object, and what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/app/tiny_workspace.h"

namespace wb {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::answerOf;
using testing::HasSubstr;

const std::string kSamples = WHETBENCH_SOURCE_DIR "/resources/samples/";

// The error of a command line, after checking that the text form says the same.
std::string errorOf(const std::vector<std::string>& arguments, int exitCode, const std::string& code) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const json error = answerOf(arguments, exitCode).value("error", json::object());
    EXPECT_EQ(error.value("code", ""), code);
    const std::string message = error.value("message", "");
    const test::WhetResult text = test::runWhet(arguments);
    EXPECT_EQ(text.exitCode, exitCode);
    EXPECT_EQ(text.out, "");
    EXPECT_THAT(text.err, HasSubstr("error: " + message.substr(0, 40)));
    return message;
}

void expectUsage(const std::vector<std::string>& arguments, const std::string& words) {
    EXPECT_THAT(errorOf(arguments, 2, "invalid_argument"), HasSubstr(words)) << testing::PrintToString(arguments);
}

void expectFailure(const std::vector<std::string>& arguments, const std::string& code, const std::string& words) {
    EXPECT_THAT(errorOf(arguments, 1, code), HasSubstr(words)) << testing::PrintToString(arguments);
}

TEST(CommandAnswers, wrongOptionValuesAreUsageErrors) {
    const std::string data = kSamples + "facts_to_sentence.jsonl";
    expectUsage({"generate", "--model", "pocket"}, "--prompt is missing");
    expectUsage({"generate", "--prompt", "x"}, "--model is missing");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--max-new-tokens", "0"}, "--max-new-tokens");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--max-new-tokens", "many"}, "--max-new-tokens");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--temperature", "-1"}, "--temperature");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--temperature", "nan"}, "nan is no value");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--top-p", "1.5"}, "--top-p");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--seed", "-1"}, "--seed");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--num-beams", "2", "--num-return", "3"},
                "--num-return 3 exceeds --num-beams 2");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--num-beams", "2", "--temperature", "1"},
                "leave out --temperature");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--num-return", "2"}, "several greedy outputs");
    expectUsage({"generate", "--model", "pocket", "--prompt", "x", "--attention", "fast"}, "fast");
    expectUsage({"compare", "--model", "pocket", "--prompt", "x"}, "--adapter is missing");
    expectUsage({"compare", "--model", "pocket", "--adapter", "x", "--prompts", "/nonexistent/file"}, "--prompts");
    expectUsage({"eval", "--model", "pocket"}, "give either --text FILE or --data FILE");
    expectUsage({"eval", "--model", "pocket", "--text", data, "--data", data}, "give either");
    expectUsage({"eval", "--model", "pocket", "--data", "/nonexistent/file"}, "--data");
    expectUsage({"export", "--run", "last"}, "--out is missing");
    expectUsage({"export", "--out", "my-model"}, "give either --run");
    expectUsage({"export", "--run", "last", "--model", "pocket", "--out", "my-model"}, "give either --run");
    expectUsage({"export", "--run", "last", "--out", "my-model", "--format", "pickle"}, "--format");
    expectUsage({"train", "--model", "pocket", "--data", data, "--epochs", "0"}, "epochs is 0");
    expectUsage({"train", "--model", "pocket", "--data", data, "--epochs", "three"}, "epochs");
    expectUsage({"train", "--model", "pocket", "--data", data, "--batch-size", "-4"}, "batch_size");
    expectUsage({"train", "--model", "pocket", "--data", data, "--learning-rate", "nan"}, "learning_rate");
    expectUsage({"train", "--model", "pocket", "--data", data, "--method", "qlora"}, "lora or full");
    expectUsage({"plan", "--model", "pocket", "--data", data, "--max-length", "x"}, "max_length");
    expectUsage({"plan", "--model", "pocket", "--data", data, "--dtype", "f8"}, "dtype");
    expectUsage({"engine"}, "--stdio");
}

TEST(CommandAnswers, whatIsMissingIsNamed) {
    const test::TemporaryFolder empty;
    const std::string library = empty.path().string();
    const std::string data = kSamples + "facts_to_sentence.jsonl";
    const std::string folder = empty.path().string();
    for (const char* command : {"generate", "eval", "compare", "train", "plan"}) {
        std::vector<std::string> line{command, "--model", "/nonexistent/model", "--library", library};
        if (line.front() == "generate") line.insert(line.end(), {"--prompt", "x"});
        if (line.front() == "compare") line.insert(line.end(), {"--prompt", "x", "--adapter", "y"});
        if (line.front() != "generate" && line.front() != "compare") line.insert(line.end(), {"--data", data});
        expectFailure(line, "not_found", "/nonexistent/model");
    }
    expectFailure({"generate", "--model", "rocket", "--prompt", "x"}, "not_found", "(pocket)");
    expectFailure({"generate", "--model", folder, "--prompt", "x"}, "not_found", folder);
    expectFailure({"generate", "--model", "pocket", "--adapter", "nope", "--prompt", "x", "--library", library},
                  "not_found", "nope");
    expectFailure({"generate", "--model", "pocket", "--adapter", folder, "--prompt", "x"}, "invalid_argument",
                  "neither an adapter");
    expectFailure({"compare", "--model", "pocket", "--adapter", "last", "--prompt", "x", "--library", library},
                  "not_found", "last");
    expectFailure({"export", "--run", "last", "--out", (empty / "out").string(), "--library", library}, "not_found",
                  "last");
    expectFailure({"train", "--resume", "last", "--library", library}, "not_found", "last");
    expectFailure({"train", "--model", "pocket", "--data", "/nonexistent/rows.jsonl", "--library", library},
                  "not_found", "/nonexistent/rows.jsonl");
    EXPECT_FALSE(fs::exists(empty / "out"));
    EXPECT_FALSE(fs::exists(empty / "runs")) << "what cannot start leaves no run behind";
}

TEST(CommandAnswers, promptsThatDoNotFitAreRefusedWithTheNumbers) {
    std::string longPrompt;
    for (int i = 0; i < 600; ++i) longPrompt += "word ";
    EXPECT_THAT(errorOf({"generate", "--model", "pocket", "--prompt", longPrompt}, 1, "invalid_argument"),
                HasSubstr("exceed the model's 512 positions"));
    EXPECT_THAT(errorOf({"generate", "--model", "pocket", "--prompt", "x", "--max-new-tokens", "100000"}, 1,
                        "invalid_argument"),
                HasSubstr("ask for at most"));
}

TEST(CommandAnswers, rowsThatCannotBeUsedStopTheStartByTheirLines) {
    const test::TemporaryFolder folder;
    test::writeText(
        folder / "rows.jsonl",
        "{\"prompt\": \"a\", \"completion\": \"b\"}\nnot json\n{\"prompt\": \"c\", \"completion\": \"d\"}\n");
    const std::string message = errorOf({"train", "--model", "pocket", "--data", (folder / "rows.jsonl").string(),
                                         "--template", "plain", "--library", folder.path().string()},
                                        1, "invalid_argument");
    EXPECT_THAT(message, HasSubstr("line 2"));
    EXPECT_FALSE(fs::exists(folder / "runs"));
}

TEST(CommandAnswers, generateAnswersWithAllFields) {
    const json answer = answerOf({"generate", "--model", "pocket", "--prompt", "Once upon a time", "--max-new-tokens",
                                  "5", "--num-beams", "3", "--num-return", "2", "--last-logits"});
    for (const char* field : {"prompt_ids", "outputs", "last_logits", "provenance", "seconds", "tokens_per_second"})
        EXPECT_TRUE(answer.contains(field)) << field;
    ASSERT_EQ(answer.at("outputs").size(), 2U);
    for (const json& output : answer.at("outputs")) {
        for (const char* field : {"text", "token_ids", "logprobs", "score", "finish_reason"})
            EXPECT_TRUE(output.contains(field)) << field;
        EXPECT_EQ(output.at("token_ids").size(), output.at("logprobs").size());
    }
    EXPECT_GE(answer.at("outputs")[0].at("score"), answer.at("outputs")[1].at("score"));
    EXPECT_EQ(answer.at("last_logits").size(), 6144U);
    for (const char* field : {"model_hash", "weights", "adapter_hash", "sampler", "seed"})
        EXPECT_TRUE(answer.at("provenance").contains(field)) << field;
}

TEST(CommandAnswers, aStampNamesHowTheWeightsAreHeld) {
    for (const char* dtype : {"f32", "bf16", "q8_0", "q4_0", "nf4"}) {
        const json answer =
            answerOf({"generate", "--model", "pocket", "--prompt", "Once", "--max-new-tokens", "1", "--dtype", dtype});
        EXPECT_EQ(answer.at("provenance").at("weights"), dtype);
    }
    const json unasked =
        answerOf({"generate", "--model", "pocket", "--prompt", "Once", "--max-new-tokens", "1", "--device", "cpu"});
    EXPECT_EQ(unasked.at("provenance").at("weights"), "f32");
}

TEST(CommandAnswers, anEmptyPromptIsTheStartTokenAlone) {
    const json answer = answerOf({"generate", "--model", "pocket", "--prompt", "", "--max-new-tokens", "2"});
    EXPECT_EQ(answer.at("prompt_ids"), json::array({1}));
}

TEST(CommandAnswers, textThatIsNoUtf8StaysValidJson) {
    const json answer = answerOf({"generate", "--model", "pocket", "--prompt", "caf\xff\xc3", "--max-new-tokens", "2"});
    EXPECT_FALSE(answer.at("prompt_ids").empty());
}

}  // namespace
}  // namespace wb
