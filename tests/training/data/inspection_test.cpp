// SPDX-License-Identifier: Apache-2.0
#include "training/data/inspection.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "kernels/base/error.h"
#include "tests/training/data/data_fixture.h"
#include "tests/training/data/toy_tokenizer.h"

namespace wb::training {
namespace {

using test::TemporaryFolder;
using test::writeText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ToyTokenizer;

nlohmann::json inspect(const std::string& name, std::string_view text, const InspectOptions& options = {},
                       const core::Tokenizer* tokenizer = nullptr) {
    const TemporaryFolder folder;
    writeText(folder / name, text);
    return nlohmann::json::parse(inspectionJson(inspectDataset(folder / name, tokenizer, options)));
}

TEST(Inspection, HasEveryPromisedField) {
    const ToyTokenizer tokenizer;
    InspectOptions options;
    options.maxLength = 12;
    const auto answer = inspect("a.jsonl",
                                "{\"prompt\": \"p\", \"response\": \"abc\"}\n"
                                "{\"prompt\": \"p\", \"response\": \"abc\"}\n"
                                "broken\n"
                                "{\"prompt\": \"q\", \"response\": \"a long answer that is cut\"}\n"
                                "{\"prompt\": \"a prompt that fills everything\", \"response\": \"abc\"}\n",
                                options, &tokenizer);
    EXPECT_EQ(answer.at("format"), "prompt_response");
    EXPECT_EQ(answer.at("rows"), 5);
    EXPECT_EQ(answer.at("examples"), 4);
    ASSERT_EQ(answer.at("bad_lines").size(), 1U);
    EXPECT_EQ(answer["bad_lines"][0].at("line"), 3);
    EXPECT_THAT(answer["bad_lines"][0].at("reason").get<std::string>(), HasSubstr("not JSON"));
    EXPECT_EQ(answer.at("length").at("p50"), 7);
    for (const char* key : {"p95", "p99", "max"}) EXPECT_GE(answer["length"].at(key), 20) << key;
    EXPECT_EQ(answer.at("truncated_rows"), 2);
    EXPECT_EQ(answer.at("truncated_lines"), nlohmann::json({4, 5}));
    EXPECT_EQ(answer.at("zero_target_rows"), 1);
    EXPECT_EQ(answer.at("zero_target_lines"), nlohmann::json({5}));
    EXPECT_EQ(answer.at("duplicate_rows"), 1);
    EXPECT_EQ(answer.at("length_unit"), "tokens");
    EXPECT_EQ(answer.at("ready"), false);
    EXPECT_THAT(answer.at("summary").get<std::string>(), HasSubstr("4 of 5 rows will teach; 1 needs a decision."));
    EXPECT_THAT(answer.at("summary").get<std::string>(), HasSubstr("1 of them would teach nothing at this length"));
    EXPECT_EQ(answer.at("long_rows").at("policy"), "shorten");
    EXPECT_EQ(answer.at("long_rows").at("saves_zero_target_rows"), 1);
    EXPECT_EQ(answer.at("long_rows").at("ready_depends_on_it"), false) << "a bad row is in the way first";
}

TEST(Inspection, ReadinessThatHangsOnShorteningSaysSo) {
    const ToyTokenizer tokenizer;
    InspectOptions options;
    options.maxLength = 12;
    const auto answer = inspect("a.jsonl", "{\"prompt\": \"a prompt that fills everything\", \"response\": \"abc\"}\n",
                                options, &tokenizer);
    EXPECT_EQ(answer.at("zero_target_rows"), 1);
    EXPECT_EQ(answer.at("ready"), true);
    EXPECT_EQ(answer.at("long_rows").at("saves_zero_target_rows"), 1);
    EXPECT_EQ(answer.at("long_rows").at("ready_depends_on_it"), true);
}

TEST(Inspection, SamplesShowWhatIsTrained) {
    const ToyTokenizer tokenizer;
    const auto answer = inspect("a.jsonl", "{\"prompt\": \"hello\", \"response\": \"world\"}\n", {}, &tokenizer);
    ASSERT_EQ(answer.at("samples").size(), 1U);
    std::string trained;
    for (const auto& token : answer["samples"][0].at("tokens"))
        if (token.at("trained").get<bool>()) trained += token.at("text").get<std::string>();
    EXPECT_EQ(trained, "world</s>");
    EXPECT_EQ(answer.at("ready"), true);
    EXPECT_EQ(answer.at("summary"), "All 1 rows will teach.");
}

TEST(Inspection, WithoutAModelLengthsAreBytes) {
    const auto answer = inspect("a.jsonl", "{\"prompt\": \"12345\", \"response\": \"678\"}\n");
    EXPECT_EQ(answer.at("length_unit"), "bytes");
    EXPECT_EQ(answer.at("length").at("max"), 9);
}

TEST(Inspection, ColumnsWithoutATemplateAreShownWithWhatIsMissing) {
    const auto answer = inspect("a.jsonl",
                                "{\"colour\": \"red\", \"shape\": \"round\"}\n{\"colour\": \"blue\"}\n{\"colour\": "
                                "\"red\", \"shape\": \"flat\"}\n");
    EXPECT_EQ(answer.at("format"), "columns");
    EXPECT_EQ(answer.at("examples"), 2);
    EXPECT_EQ(answer["bad_lines"][0].at("line"), 2);
    EXPECT_TRUE(answer.at("template").is_null());
    EXPECT_NE(answer.at("template_problem"), "");
    EXPECT_EQ(answer.at("ready"), false);
    EXPECT_EQ(answer.at("length").at("max"), 9);
}

TEST(Inspection, TemplateBesideTheDataDecidesTheColumns) {
    const TemporaryFolder folder;
    writeText(folder / "template.json", R"({"prompt": "{colour}:", "completion": "{shape}"})");
    writeText(folder / "a.jsonl",
              "{\"colour\": \"red\", \"shape\": \"round\"}\n{\"colour\": \"red\", \"shape\": \"\"}\n");
    const auto answer = nlohmann::json::parse(inspectionJson(inspectDataset(folder / "a.jsonl", nullptr, {})));
    EXPECT_EQ(answer.at("template").at("name"), "template.json");
    EXPECT_EQ(answer.at("examples"), 1);
    EXPECT_THAT(answer["bad_lines"][0].at("reason").get<std::string>(), HasSubstr("'shape' is empty"));
}

TEST(Inspection, NamedTemplateThatIsNotThereIsAnError) {
    InspectOptions options;
    options.templateName = "missing.json";
    EXPECT_THROW(inspect("a.jsonl", "{\"prompt\": \"p\", \"response\": \"r\"}\n", options), Error);
}

TEST(Inspection, ToolsThatTheTemplateLeavesOutAreNoted) {
    const auto answer = inspect(
        "a.jsonl",
        R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "tools": [{"name": "f"}]})");
    EXPECT_THAT(answer.at("notes").dump(), HasSubstr("1 rows define tools"));
}

TEST(Inspection, RunningTextLosesNothing) {
    InspectOptions options;
    options.maxLength = 4;
    const auto answer = inspect("a.txt", "some running text\n\n\nand more of it\n", options);
    EXPECT_EQ(answer.at("format"), "text");
    EXPECT_EQ(answer.at("rows"), 2);
    EXPECT_EQ(answer.at("truncated_rows"), 0);
    EXPECT_EQ(answer.at("ready"), true);
}

TEST(Inspection, DirtyFilesUnderTheirTemplate) {
    const std::filesystem::path dirty = testing::sharedData() / "dirty";
    WB_NEED_FILE(dirty / "mixed_keys.jsonl");
    InspectOptions options;
    options.templateName = (testing::sharedData() / "squad" / "template.json").string();
    const std::vector<std::pair<std::string, std::vector<int64_t>>> expected{
        {"bad_utf8_and_nul.jsonl", {2, 4}},
        {"bom_crlf.jsonl", {}},
        {"broken_lines.jsonl", {2, 4, 5, 8, 9, 10, 11, 12}},
        {"duplicate_and_escapes.jsonl", {3, 6}},
        {"huge_line.jsonl", {2}},
        {"mixed_keys.jsonl", {2, 3, 4, 5, 6, 7, 8, 9, 10}},
    };
    for (const auto& [name, lines] : expected) {
        const auto answer = nlohmann::json::parse(inspectionJson(inspectDataset(dirty / name, nullptr, options)));
        std::vector<int64_t> bad;
        for (const auto& entry : answer.at("bad_lines")) bad.push_back(entry.at("line"));
        EXPECT_EQ(bad, lines) << name;
        EXPECT_EQ(answer.at("rows").get<size_t>(), answer.at("examples").get<size_t>() + bad.size()) << name;
    }
}

}  // namespace
}  // namespace wb::training
