// SPDX-License-Identifier: Apache-2.0
// Each format on small rows of its own: what is read, what is refused and in which words.
#include <gmock/gmock.h>

#include "kernels/base/error.h"
#include "tests/training/data/data_fixture.h"

namespace wb::training {
namespace {

using test::TemporaryFolder;
using test::writeText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::linesOf;

Dataset loadText(const std::string& name, std::string_view text, const LoadOptions& options = {}) {
    const TemporaryFolder folder;
    writeText(folder / name, text);
    Dataset data = loadDataset(folder / name, options);
    EXPECT_EQ(data.rows, static_cast<int64_t>(data.examples.size() + data.badLines.size()));
    return data;
}

std::string reasonAt(const Dataset& data, int64_t line) {
    for (const BadLine& bad : data.badLines)
        if (bad.line == line) return bad.reason;
    return {};
}

TEST(Formats, PromptResponseUnderManyNames) {
    const std::vector<std::array<std::string, 3>> names{
        {"prompt", "response", "prompt = prompt, response = response"},
        {"prompt", "completion", "prompt = prompt, response = completion"},
        {"question", "answer", "prompt = question, response = answer"},
        {"input", "output", "prompt = input, response = output"},
        {"instruction", "response", "prompt = instruction, response = response"},
        {"source", "target", "prompt = source, response = target"},
    };
    for (const auto& [prompt, response, mapping] : names) {
        const Dataset data =
            loadText("a.jsonl", "{\"" + prompt + "\": \"p\", \"" + response + "\": \"r\", \"id\": 7}\n");
        EXPECT_EQ(data.format.name, "prompt_response") << prompt;
        EXPECT_EQ(data.mapping.describe(), mapping);
        EXPECT_EQ(data.kind, DatasetKind::PromptResponse);
        EXPECT_THAT(data.notes, ::testing::Contains(HasSubstr("columns not used: id")));
    }
}

TEST(Formats, ContextStandsInFrontOfTheQuestion) {
    const Dataset data = loadText("a.jsonl", "{\"context\": \"c\", \"question\": \"q\", \"answer\": \"a\"}\n");
    EXPECT_THAT(data.mapping.prompt, ElementsAre("context", "question"));
    EXPECT_EQ(data.mapping.response, "answer");
}

TEST(Formats, EmptyAnswersAreBadRows) {
    const Dataset data =
        loadText("a.jsonl", "{\"prompt\": \"p\", \"response\": \"\"}\n{\"prompt\": \"\", \"response\": \"r\"}\n");
    EXPECT_THAT(linesOf(data.badLines), ElementsAre(1));
    EXPECT_THAT(linesOf(data.examples), ElementsAre(2));
    EXPECT_THAT(data.badLines[0].reason, HasSubstr("'response' is empty"));
}

TEST(Formats, PromptAndCompletionAsMessageLists) {
    const Dataset data = loadText(
        "a.jsonl",
        R"({"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "d"}]})"
        "\n{\"prompt\": [], \"completion\": \"x\"}\n");
    ASSERT_EQ(data.examples.size(), 1U);
    ASSERT_EQ(data.examples[0].messages.size(), 4U);
    EXPECT_EQ(data.examples[0].messages[1].weight, 0.0F) << "only the completion is trained";
    EXPECT_EQ(data.examples[0].messages[3].weight, 1.0F);
    EXPECT_THAT(reasonAt(data, 2), HasSubstr("list of messages"));
}

TEST(Formats, AlpacaInputMayBeMissing) {
    const Dataset data =
        loadText("a.json",
                 "[{\"instruction\": \"i\", \"input\": \"\", \"output\": \"o\"},\n"
                 "{\"instruction\": \"i\", \"output\": \"o\"},\n{\"instruction\": \"\", \"output\": \"o\"},\n"
                 "{\"instruction\": \"i\", \"output\": null}]");
    EXPECT_EQ(data.format.name, "alpaca");
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 2));
    EXPECT_THAT(linesOf(data.badLines), ElementsAre(3, 4));
    EXPECT_EQ(data.examples[1].columns.at("input"), "");
}

TEST(Formats, MessagesWithPartsWeightsAndTools) {
    const Dataset data = loadText(
        "a.jsonl",
        R"({"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "value": "b"}]}, {"role": "assistant", "content": "x", "weight": 0}, {"role": "user", "content": "u"}, {"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "content": "t"}, {"role": "assistant", "content": "y", "loss_weight": 1.0}], "tools": [{"name": "f"}]})");
    ASSERT_EQ(data.format.name, "messages");
    ASSERT_EQ(data.examples.size(), 1U) << data.badLines[0].reason;
    const Example& example = data.examples[0];
    ASSERT_EQ(example.messages.size(), 7U);
    EXPECT_EQ(example.messages[0].role, "system");
    EXPECT_EQ(example.messages[1].content, "ab");
    EXPECT_EQ(example.messages[2].weight, 0.0F);
    EXPECT_THAT(example.messages[4].toolCallsJson, HasSubstr("\"name\": \"f\""));
    EXPECT_EQ(example.messages[6].weight, 1.0F);
    EXPECT_EQ(example.toolsJson, "[{\"name\": \"f\"}]");
}

TEST(Formats, MessagesThatCannotBeTrainedAreNamed) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"({"messages": []})", "no messages"},
        {R"({"messages": "x"})", "is a text, not a list"},
        {R"({"messages": [{"role": "user", "content": "q"}]})", "no message of the assistant"},
        {R"({"messages": [{"role": "assistant", "content": "a", "weight": 0}]})", "weight 0"},
        {R"({"messages": [{"role": "assistant", "content": "a", "weight": 0.5}]})", "message 1: the weight is 0.5"},
        {R"({"messages": [{"role": "king", "content": "a"}]})", "role 'king' is unknown"},
        {R"({"messages": [{"content": "a"}]})", "no 'role'"},
        {R"({"messages": [{"role": "user", "content": 5}, {"role": "assistant", "content": "a"}]})", "a number (5)"},
        {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})", "type 'image_url'"},
        {R"({"messages": [{"role": "assistant", "content": ""}]})", "message 1: the message of 'assistant' is empty"},
        {R"({"messages": [{"role": "assistant", "content": "a"}], "tools": "no json"})", "'tools' is no JSON"},
        {R"({"other": 1})", "no 'messages'"},
    };
    std::string text = "{\"messages\": [{\"role\": \"assistant\", \"content\": \"good\"}]}\n";
    for (const auto& [row, reason] : cases) text += row + "\n";
    LoadOptions options;
    options.format = "messages";
    const Dataset data = loadText("a.jsonl", text, options);
    ASSERT_EQ(data.badLines.size(), cases.size());
    for (size_t i = 0; i < cases.size(); ++i)
        EXPECT_THAT(reasonAt(data, static_cast<int64_t>(i) + 2), HasSubstr(cases[i].second)) << cases[i].first;
}

TEST(Formats, MessagesAfterTheLastAnswerAreLeftOutWithAWarning) {
    const Dataset data = loadText(
        "a.jsonl",
        R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "thanks"}]})");
    ASSERT_EQ(data.examples.size(), 1U);
    EXPECT_EQ(data.examples[0].messages.size(), 2U);
    ASSERT_THAT(linesOf(data.warnings), ElementsAre(1));
    EXPECT_THAT(data.warnings[0].reason, HasSubstr("left out"));
}

TEST(Formats, ShareGptRolesSystemAndCalls) {
    const Dataset data = loadText(
        "a.jsonl",
        R"({"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"}, {"from": "observation", "value": "o"}, {"from": "gpt", "value": "a"}], "system": "s", "tools": "[{\"name\": \"f\"}]"}
{"conversations": [{"from": "alien", "value": "q"}]}
{"conversations": [{"from": "human", "value": "q"}]}
)");
    ASSERT_EQ(data.format.name, "sharegpt");
    ASSERT_EQ(data.examples.size(), 1U);
    const auto& messages = data.examples[0].messages;
    ASSERT_EQ(messages.size(), 5U);
    EXPECT_EQ(messages[0].role, "system");
    EXPECT_EQ(messages[2].role, "assistant");
    EXPECT_THAT(messages[2].toolCallsJson, HasSubstr(R"("function": {"name": "f", "arguments": {"x": 1}})"));
    EXPECT_EQ(messages[3].role, "tool");
    EXPECT_THAT(reasonAt(data, 2), HasSubstr("turn 1: 'from' is 'alien'"));
    EXPECT_THAT(reasonAt(data, 3), HasSubstr("no message of the assistant"));
}

TEST(Formats, NestedRowsExpandAndKeepTheirLine) {
    const Dataset triples =
        loadText("a.json",
                 "[\n{\"tripleset\": [[\"a\", \"b\", \"c\"], [\"d\", \"e\", \"f\"]], \"annotations\": "
                 "[{\"text\": \"x\"}, {\"text\": \"\"}, {\"text\": \"y\"}]}]");
    EXPECT_EQ(triples.format.name, "triples");
    EXPECT_EQ(triples.rows, 3);
    EXPECT_THAT(linesOf(triples.examples), ElementsAre(2, 2));
    EXPECT_EQ(triples.examples[0].columns.at("triples"), "a | b | c\nd | e | f");
    EXPECT_THAT(linesOf(triples.badLines), ElementsAre(2));

    const Dataset tasks = loadText("a.jsonl",
                                   "{\"instruction\": \"i\", \"instances\": [{\"input\": \"1\", \"output\": \"2\"}, "
                                   "{\"input\": \"3\", \"output\": \"4\"}]}\n");
    EXPECT_EQ(tasks.format.name, "self_instruct");
    EXPECT_EQ(tasks.examples[1].columns.at("input"), "3");

    const Dataset squad = loadText(
        "a.json",
        R"({"version": "v2", "data": [{"title": "t", "paragraphs": [{"context": "c", "qas": [{"question": "q", "answers": [{"text": "a"}]}, {"question": "r", "answers": [], "is_impossible": true}, {"answers": []}]}]}]})");
    EXPECT_EQ(squad.format.name, "squad");
    ASSERT_EQ(squad.examples.size(), 2U);
    EXPECT_EQ(squad.examples[0].columns.at("answer"), "a");
    EXPECT_EQ(squad.examples[1].columns.at("answer"), "unanswerable");
    EXPECT_THAT(reasonAt(squad, 1), HasSubstr("'question' is missing"));
}

TEST(Formats, PlainTextSplitsIntoDocuments) {
    EXPECT_THAT(linesOf(loadText("a.txt", "one\n\nstill one\n\n\ntwo\n\n\n\nthree\n").examples), ElementsAre(1, 6, 10));
    EXPECT_THAT(linesOf(loadText("a.txt", "x<|endoftext|>\ny\n<|endoftext|>").examples), ElementsAre(1, 2));
    const Dataset whole = loadText("a.txt", "a\n\nb\n");
    ASSERT_EQ(whole.examples.size(), 1U);
    EXPECT_EQ(whole.examples[0].columns.at("text"), "a\n\nb");
    EXPECT_EQ(whole.kind, DatasetKind::Text);
    EXPECT_THAT(linesOf(loadText("a.txt",
                                 "good\n\n\nb\xE9"
                                 "d\n")
                            .badLines),
                ElementsAre(4));
}

TEST(Formats, CsvRowsHaveTheHeadersColumns) {
    const Dataset data = loadText("a.csv", "question;answer\n\"a;b\";c\nonly one\nd;e\n");
    EXPECT_EQ(data.format.name, "prompt_response");
    EXPECT_THAT(linesOf(data.examples), ElementsAre(2, 4));
    EXPECT_THAT(reasonAt(data, 3), HasSubstr("1 cells where the header has 2"));
    EXPECT_EQ(data.examples[0].columns.at("question"), "a;b");
    EXPECT_THROW(loadText("a.csv", "a,a\n1,2\n"), Error);
    EXPECT_THROW(loadText("a.csv", ""), Error);
}

TEST(Formats, ChoiceByHandWinsAndGuessIsShown) {
    const std::string rows = "{\"prompt\": \"p\", \"response\": \"r\", \"text\": \"t\"}\n";
    EXPECT_EQ(loadText("a.jsonl", rows).format.name, "prompt_response");
    LoadOptions options;
    options.format = "text";
    const Dataset forced = loadText("a.jsonl", rows, options);
    EXPECT_EQ(forced.format.name, "text");
    EXPECT_EQ(forced.kind, DatasetKind::Text);
    ASSERT_FALSE(forced.alternatives.empty());
    EXPECT_EQ(forced.alternatives.front().name, "prompt_response");
    options.format = "nonsense";
    EXPECT_THROW(loadText("a.jsonl", rows, options), Error);
}

TEST(Formats, TemplateColumnsDecideWhichRowsAreGood) {
    LoadOptions options;
    options.promptColumns = {"question"};
    options.responseColumns = {"context"};
    const Dataset data =
        loadText("a.jsonl",
                 "{\"question\": \"q\", \"context\": \"c\", \"answer\": \"a\"}\n"
                 "{\"question\": \"q\", \"context\": \"c\"}\n{\"question\": \"q\", \"answer\": \"a\"}\n",
                 options);
    EXPECT_EQ(data.format.name, "columns");
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 2));
    EXPECT_THAT(reasonAt(data, 3), HasSubstr("'context' is missing"));
}

TEST(Formats, JsonLinesUnderAJsonName) {
    EXPECT_EQ(
        loadText("a.json", "{\"prompt\": \"p\", \"response\": \"r\"}\n{\"prompt\": \"p\", \"response\": \"r\"}\n").rows,
        2);
    EXPECT_EQ(loadText("noname", "{\"prompt\": \"p\", \"response\": \"r\"}\n").rows, 1);
    EXPECT_THROW(loadText("noname", "hello"), Error);
    EXPECT_THROW(loadText("a.parquet", "PAR1"), Error);
    EXPECT_THROW(loadText("a.jsonl", "\n\n"), Error) << "a file without rows";
}

TEST(Formats, MaxRowsStopsAndSaysSo) {
    LoadOptions options;
    options.maxRows = 2;
    const Dataset data = loadText("a.jsonl", "{\"text\": \"a\"}\nbad\n{\"text\": \"c\"}\n", options);
    EXPECT_EQ(data.rows, 2);
    EXPECT_THAT(data.notes, ::testing::Contains(HasSubstr("stopped after 2 rows")));
}

TEST(Formats, FileOfBrokenRowsOnlyIsReportedNotThrown) {
    const Dataset data = loadText("a.jsonl", "nope\n[1]\n");
    EXPECT_THAT(data.examples, IsEmpty());
    EXPECT_THAT(linesOf(data.badLines), ElementsAre(1, 2));
}

}  // namespace
}  // namespace wb::training
