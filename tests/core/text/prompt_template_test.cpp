// SPDX-License-Identifier: Apache-2.0
#include "core/text/prompt_template.h"

#include <set>

#include "tests/core/test_files.h"
#include "tests/core/text/golden_conversations.h"

namespace wb::core {
namespace {

using test::Conversation;
using test::trainedText;

const PromptColumns kRow{{"prompt", "Say hi"}, {"response", "Hi"}};
const PromptColumns kAlpacaRow{{"instruction", "Sort"}, {"input", "3 1 2"}, {"output", "1 2 3"}};

PromptTemplate chatOf(std::string_view source, std::string bos = "<s>", std::string eos = "</s>") {
    return PromptTemplate::fromChatTemplate(ChatTemplate::parse(source, "t"), std::move(bos), std::move(eos));
}

PromptTemplate fromGolden(std::string_view file) {
    return chatOf(test::readText(test::goldenFolder() / "templates" / file));
}

// The rule of the house: the prompt is a prefix of the training text, and what is trained begins right behind it.
void expectPromptIsPrefix(const RenderedChat& row, const RenderedChat& prompt) {
    test::expectSpansCover(row);
    test::expectSpansCover(prompt);
    ASSERT_TRUE(row.text.starts_with(prompt.text)) << "row: " << row.text << "\nprompt: " << prompt.text;
    bool isTrainedBehind = false;
    for (const TextSpan& span : row.spans) {
        if (span.begin < prompt.text.size() && span.end > prompt.text.size()) FAIL() << "a span crosses the border";
        if (span.begin == prompt.text.size()) isTrainedBehind = span.kind == SpanKind::Assistant;
    }
    EXPECT_TRUE(isTrainedBehind || row.text.size() == prompt.text.size()) << row.text;
}

TEST(PromptTemplate, PlainIsPromptNewLineResponse) {
    const auto plain = PromptTemplate::builtin("plain");
    const RenderedChat row = plain.renderRow(kRow);
    EXPECT_EQ(row.text, "Say hi\nHi");
    EXPECT_EQ(row.spans,
              (std::vector<TextSpan>{
                  {0, 6, SpanKind::Input, 0}, {6, 7, SpanKind::Template, -1}, {7, 9, SpanKind::Assistant, 1}}));
    EXPECT_EQ(plain.renderPrompt("Say hi").text, "Say hi\n");
    EXPECT_TRUE(plain.encoding().appendsEos);
    EXPECT_FALSE(plain.encoding().writesBos);
    EXPECT_TRUE(plain.stopStrings().empty());
    EXPECT_EQ(PromptTemplate::builtin("raw").renderRow(kRow).text, "Say hiHi");
}

TEST(PromptTemplate, AlpacaLeavesOutAnEmptyInput) {
    const auto alpaca = PromptTemplate::builtin("alpaca");
    const std::string withInput = alpaca.renderRow(kAlpacaRow).text;
    EXPECT_NE(withInput.find("### Instruction:\nSort\n\n### Input:\n3 1 2\n\n### Response:\n1 2 3"), std::string::npos);
    const std::string without = alpaca.renderRow(PromptColumns{{"instruction", "Sort"}, {"output", "x"}}).text;
    EXPECT_NE(without.find("### Instruction:\nSort\n\n### Response:\nx"), std::string::npos);
    EXPECT_EQ(without.find("Input"), std::string::npos);
    EXPECT_EQ(alpaca.renderRow(PromptColumns{{"instruction", "Sort"}, {"input", ""}, {"output", "x"}}).text, without);
    EXPECT_EQ(alpaca.renderRow(PromptColumns{{"prompt", "Sort"}, {"response", "x"}}).text, without);
    EXPECT_EQ(alpaca.stopStrings(), std::vector<std::string>{"### Instruction:"});
}

TEST(PromptTemplate, ChatmlTrainsTheAnswerWithItsEndMarker) {
    const auto chatml = PromptTemplate::builtin("chatml");
    const RenderedChat row = chatml.renderRow(kRow);
    EXPECT_EQ(row.text, "<|im_start|>user\nSay hi<|im_end|>\n<|im_start|>assistant\nHi<|im_end|>\n");
    EXPECT_EQ(trainedText(row), "Hi<|im_end|>");
    EXPECT_EQ(chatml.renderPrompt(kRow).text, "<|im_start|>user\nSay hi<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(chatml.stopStrings(), std::vector<std::string>{"<|im_end|>"});
    EXPECT_FALSE(chatml.encoding().appendsEos);
    // The marker is text of the template, so special tokens may be parsed in it; the answer is not.
    const TextSpan answer = row.spans[row.spans.size() - 3];
    const TextSpan marker = row.spans[row.spans.size() - 2];
    EXPECT_FALSE(answer.isMarker);
    EXPECT_TRUE(marker.isMarker);
    EXPECT_EQ(marker.message, 1);
    EXPECT_EQ(row.spans.back().kind, SpanKind::Template);
}

TEST(PromptTemplate, EveryPromptIsAPrefixOfItsTrainingText) {
    std::vector<PromptTemplate> templates;
    for (const std::string_view name : PromptTemplate::builtinNames())
        templates.push_back(PromptTemplate::builtin(name));
    for (const char* file : {"chatml_default_system.jinja", "bracket_turns.jinja", "header_blocks.jinja",
                             "role_lines.jinja", "turn_tags.jinja", "tool_calls.jinja", "thinking.jinja"})
        templates.push_back(fromGolden(file));
    int compared = 0;
    for (const PromptTemplate& each : templates) {
        for (const PromptColumns& row : {kRow, kAlpacaRow, PromptColumns{{"prompt", " a \n"}, {"response", "\n b "}}}) {
            SCOPED_TRACE(each.name() + ": " + each.describe());
            expectPromptIsPrefix(each.renderRow(row), each.renderPrompt(row));
        }
        for (const auto& [name, conversation] : test::goldenConversations()) {
            SCOPED_TRACE(each.name() + ", " + name);
            if (conversation.messages.back().role != "assistant") continue;
            RenderedChat row;
            try {
                row = each.renderRow(conversation.messages, conversation.options.toolsJson);
            } catch (const Error&) {
                continue;  // roles or tool calls that the template refuses
            }
            expectPromptIsPrefix(row, each.renderPrompt(conversation.messages, conversation.options.toolsJson));
            ++compared;
        }
    }
    EXPECT_GT(compared, 30);
}

TEST(PromptTemplate, SharedChatTemplatesKeepThePrefixToo) {
    WB_NEED_SHARED_DATA(qwen, "chat_templates/Qwen-Qwen2.5-7B-Instruct.jinja");
    WB_NEED_SHARED_DATA(gemma, "chat_templates/google-gemma-2-2b-it.jinja");
    for (const auto& path : {qwen, gemma}) {
        SCOPED_TRACE(path.string());
        const auto own = chatOf(test::readText(path), "<bos>", "<eos>");
        expectPromptIsPrefix(own.renderRow(kRow), own.renderPrompt(kRow));
        EXPECT_EQ(own.stopStrings(), std::vector<std::string>{path == qwen ? "<|im_end|>" : "<end_of_turn>"});
        EXPECT_EQ(own.encoding().writesBos, path == gemma);
    }
}

// What is trained, and how answers end, in the shapes that published templates have.
TEST(PromptTemplate, FindsTheEndMarkerOfEachFamily) {
    struct Family {
        const char* file;
        const char* marker;
        const char* trained;
        bool writesBos;
    };
    const Family families[] = {
        {"chatml_default_system.jinja", "<|im_end|>", "Hi<|im_end|>", false},
        {"bracket_turns.jinja", "</s>", " Hi </s>", true},
        {"header_blocks.jinja", "<|eot|>", "Hi<|eot|>", true},
        {"role_lines.jinja", "</s>", "Hi</s>", false},
        {"turn_tags.jinja", "<end>", "Hi<end>", true},
        {"tool_calls.jinja", "<|end|>", "Hi<|end|>", false},
    };
    for (const Family& family : families) {
        SCOPED_TRACE(family.file);
        const auto chat = fromGolden(family.file);
        EXPECT_EQ(chat.stopStrings(), std::vector<std::string>{family.marker});
        EXPECT_EQ(trainedText(chat.renderRow(kRow)), family.trained);
        EXPECT_EQ(chat.encoding().writesBos, family.writesBos);
        EXPECT_FALSE(chat.encoding().appendsEos);
    }
}

TEST(PromptTemplate, EveryAnswerOfAConversationIsTrainedUnlessItsWeightIsZero) {
    std::vector<ChatMessage> messages{{"user", "q1"},      {"assistant", "a1"}, {"user", "q2"},
                                      {"assistant", "a2"}, {"user", "q3"},      {"assistant", "a3"}};
    for (const char* file : {"chatml_default_system.jinja", "bracket_turns.jinja", "generation_marks.jinja"}) {
        SCOPED_TRACE(file);
        const auto chat = fromGolden(file);
        const std::string end = chat.stopStrings().empty() ? "<|im_end|>" : chat.stopStrings()[0];
        const bool isSpaced = std::string_view{file} == "bracket_turns.jinja";
        const auto trained = [&](const char* answer) {
            return isSpaced ? std::string{" "} + answer + " " + end : answer + end;
        };
        messages[3].weight = 1.0F;
        EXPECT_EQ(trainedText(chat.renderRow(messages)), trained("a1") + trained("a2") + trained("a3"));
        messages[3].weight = 0.0F;
        const RenderedChat row = chat.renderRow(messages);
        EXPECT_EQ(trainedText(row), trained("a1") + trained("a3"));
        test::expectSpansCover(row);
    }
}

TEST(PromptTemplate, ToolCallsAreTrainedWhole) {
    const auto chat = fromGolden("tool_calls.jinja");
    const std::vector<ChatMessage> messages{
        {"user", "time?"}, {"assistant", "", 1.0F, R"([{"function":{"name":"clock","arguments":{"zone":"utc"}}}])"}};
    EXPECT_EQ(trainedText(chat.renderRow(messages)),
              "<call>{\"name\": \"clock\", \"arguments\": {\"zone\": \"utc\"}}</call><|end|>");
}

TEST(PromptTemplate, AMarkerInsideAnAnswerEndsNothing) {
    const RenderedChat row =
        PromptTemplate::builtin("chatml").renderRow(PromptColumns{{"prompt", "q"}, {"response", "a<|im_end|>b"}});
    EXPECT_EQ(trainedText(row), "a<|im_end|>b<|im_end|>");
    for (const TextSpan& span : row.spans)
        if (span.isMarker) {
            EXPECT_EQ(row.text.substr(span.begin - 1, 1), "b");
        }
}

TEST(PromptTemplate, AnEmptyAnswerTeachesItsEnd) {
    const RenderedChat row =
        PromptTemplate::builtin("chatml").renderRow(PromptColumns{{"prompt", "q"}, {"response", ""}});
    EXPECT_EQ(trainedText(row), "<|im_end|>");
}

TEST(PromptTemplate, TemplateWithoutGenerationPromptIsCutWhereTheAnswerBegins) {
    const auto chat = chatOf("{% for m in messages %}<{{ m.role }}>{{ m.content }}</turn>{% endfor %}");
    EXPECT_EQ(chat.renderPrompt("Q").text, "<user>Q</turn><assistant>");
    EXPECT_EQ(trainedText(chat.renderRow(kRow)), "Hi</turn>");
}

TEST(PromptTemplate, TemplateWhosePromptDiffersFromTrainingUsesTheTrainingText) {
    const auto chat = chatOf(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</turn>{% endfor %}"
        "{% if add_generation_prompt %}<assistant><think>{% endif %}");
    expectPromptIsPrefix(chat.renderRow(kRow), chat.renderPrompt(kRow));
    EXPECT_EQ(chat.renderPrompt("Q").text, "<user>Q</turn><assistant>");
}

TEST(PromptTemplate, TextBetweenPromptAndAnswerIsTrained) {
    const auto chat = chatOf(
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}<think></think>{% endif %}"
        "{{ m.content }}</turn>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
    EXPECT_EQ(trainedText(chat.renderRow(kRow)), "<think></think>Hi</turn>");
}

TEST(PromptTemplate, MarkerEndsWhereTwoFollowersPart) {
    const auto chat = chatOf(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% else %}<|endoftext|>{% endif %}");
    EXPECT_EQ(chat.stopStrings(), std::vector<std::string>{"<|end|>"});
}

TEST(PromptTemplate, AnswersWithoutMarkerGetTheEosToken) {
    const auto chat = chatOf("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "", "");
    EXPECT_TRUE(chat.encoding().appendsEos);
    EXPECT_TRUE(chat.stopStrings().empty());
    EXPECT_EQ(trainedText(chat.renderRow(kRow)), "Hi");
}

TEST(PromptTemplate, ATemplateThatDropsAnswersIsRefused) {
    WB_EXPECT_ERROR(chatOf("{{ messages[0].content }}"), ErrorCode::InvalidArgument,
                    "does not write what the assistant");
}

TEST(PromptTemplate, ARowWhosePromptCannotMatchIsRefused) {
    const auto chat = chatOf(
        "{% for m in messages %}<{{ m.role }}>{{ 'X' if messages[-1].content == 'odd' }}{{ m.content }}</turn>"
        "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
    EXPECT_EQ(trainedText(chat.renderRow(kRow)), "Hi</turn>");
    WB_EXPECT_ERROR(chat.renderRow(PromptColumns{{"prompt", "q"}, {"response", "odd"}}), ErrorCode::InvalidArgument,
                    "would not be asked what it was taught");
}

TEST(PromptTemplate, DatesAreTheSameOnEveryDay) {
    const auto chat =
        chatOf("{{ strftime_now('%d %b %Y') }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}");
    EXPECT_TRUE(chat.renderRow(kRow).text.starts_with("26 Jul 2024<user>"));
}

TEST(PromptTemplate, BuiltinsTakeConversationsOfAlternatingTurns) {
    const std::vector<ChatMessage> messages{
        {"system", "Be kind."}, {"user", "q1"}, {"assistant", "a1", 0.0F}, {"user", "q2"}, {"assistant", "a2"}};
    const auto plain = PromptTemplate::builtin("plain");
    const RenderedChat row = plain.renderRow(messages);
    EXPECT_EQ(row.text, "Be kind.\n\nq1\na1\n\nq2\na2");
    EXPECT_EQ(trainedText(row), "a2");
    expectPromptIsPrefix(row, plain.renderPrompt(messages));
    WB_EXPECT_ERROR(plain.renderRow(std::vector<ChatMessage>{{"user", "a"}, {"user", "b"}}), ErrorCode::InvalidArgument,
                    "message 2 is 'user'");
    WB_EXPECT_ERROR(plain.renderRow(std::vector<ChatMessage>{{"user", "a"}, {"tool", "b"}}), ErrorCode::InvalidArgument,
                    "'tool'");
}

TEST(PromptTemplate, JsonTemplateFillsColumns) {
    const auto json = PromptTemplate::fromJsonText(
        R"({"prompt": "{{x}} {context} - {title}: ", "completion": "{question}?", "stop": ["\n"]})", "template.json");
    const PromptColumns row{{"context", "C"}, {"title", "T"}, {"question", "Q"}, {"other", "O"}};
    const RenderedChat chat = json.renderRow(row);
    EXPECT_EQ(chat.text, "{x} C - T: Q?");
    EXPECT_EQ(trainedText(chat), "Q?");
    EXPECT_TRUE(chat.spans.back().isMarker);
    EXPECT_FALSE(chat.spans[chat.spans.size() - 2].isMarker);
    expectPromptIsPrefix(chat, json.renderPrompt(row));
    EXPECT_EQ(json.promptColumns(), (std::vector<std::string>{"context", "title"}));
    EXPECT_EQ(json.responseColumns(), std::vector<std::string>{"question"});
    EXPECT_EQ(json.stopStrings(), std::vector<std::string>{"\n"});
    EXPECT_EQ(json.renderPrompt(PromptColumns{{"context", "C"}, {"title", "T"}}).text, "{x} C - T: ");
    WB_EXPECT_ERROR(json.renderRow(PromptColumns{{"context", "C"}, {"topic", "T"}, {"question", "Q"}}),
                    ErrorCode::InvalidArgument,
                    "asks for the column 'title', the row has 'context', 'question' and 'topic'");
    WB_EXPECT_ERROR(json.renderPrompt("typed"), ErrorCode::InvalidArgument, "'context' and 'title'");
    WB_EXPECT_ERROR(json.renderRow(std::vector<ChatMessage>{{"user", "q"}, {"assistant", "a"}}),
                    ErrorCode::InvalidArgument, "conversation");
    const auto one = PromptTemplate::fromJsonText(R"({"prompt": "Q: {q}\n", "completion": "{a}"})", "t.json");
    EXPECT_EQ(one.renderPrompt("typed").text, "Q: typed\n");
}

TEST(PromptTemplate, BrokenJsonTemplatesSayWhatIsWrong) {
    const std::pair<const char*, const char*> mistakes[] = {
        {"[]", "not a JSON object"},
        {"{", "not a JSON object"},
        {R"({"prompt": "x"})", "needs a text 'completion'"},
        {R"({"prompt": 5, "completion": "{a}"})", "needs a text 'prompt'"},
        {R"({"prompt": "x", "completion": "{a}", "promt": "y"})", "unknown key 'promt'"},
        {R"({"prompt": "x", "completion": "fixed"})", "names no {column}"},
        {R"({"prompt": "a {b", "completion": "{a}"})", "'prompt', byte 3: this '{' is not closed"},
        {R"({"prompt": "a }", "completion": "{a}"})", "a '}' without '{'"},
        {R"({"prompt": "a {}", "completion": "{a}"})", "without a column name"},
        {R"({"prompt": "a", "completion": "{a}", "stop": [1]})", "'stop' must be a list of texts"},
    };
    for (const auto& mistake : mistakes) {
        SCOPED_TRACE(mistake.first);
        WB_EXPECT_ERROR(PromptTemplate::fromJsonText(mistake.first, "template.json"), ErrorCode::CorruptFile,
                        mistake.second);
    }
    WB_EXPECT_ERROR(PromptTemplate::fromJsonFile("/nowhere/template.json"), ErrorCode::NotFound, "no such file");
    WB_EXPECT_ERROR(PromptTemplate::builtin("vicuna"), ErrorCode::NotFound, "'plain', 'raw', 'alpaca' and 'chatml'");
}

TEST(PromptTemplate, HashesTellTemplatesApartAndStayTheSame) {
    std::set<std::string> hashes;
    for (const std::string_view name : PromptTemplate::builtinNames()) {
        EXPECT_EQ(PromptTemplate::builtin(name).hash(), PromptTemplate::builtin(name).hash());
        hashes.insert(PromptTemplate::builtin(name).hash());
    }
    hashes.insert(chatOf("{% for m in messages %}{{ m.content }}{% endfor %}").hash());
    hashes.insert(chatOf("{% for m in messages %}{{ m.content }}{% endfor %}", "", "").hash());
    hashes.insert(PromptTemplate::fromJsonText(R"({"prompt": "ab", "completion": "{c}"})", "x").hash());
    hashes.insert(PromptTemplate::fromJsonText(R"({"prompt": "a", "completion": "b{c}"})", "x").hash());
    EXPECT_EQ(hashes.size(), PromptTemplate::builtinNames().size() + 4);
    EXPECT_EQ(PromptTemplate::fromJsonText(R"({"prompt": "a", "completion": "{c}"})", "x").hash(),
              PromptTemplate::fromJsonText(R"({"completion": "{c}", "prompt": "a"})", "y").hash());
    // Stored runs name their template by this value.
    EXPECT_EQ(PromptTemplate::builtin("plain").hash(),
              "c9df9f60a672671fa83095f4b9ae55df87b692f8e1016c44e4c2418af09ad032");
}

TEST(PromptTemplate, AcceptsSaysWhichColumnIsMissing) {
    std::string reason;
    EXPECT_TRUE(PromptTemplate::builtin("plain").accepts({"question", "answer"}));
    EXPECT_FALSE(PromptTemplate::builtin("chatml").accepts({"context", "question"}, &reason));
    EXPECT_NE(reason.find("'context' and 'question'"), std::string::npos);
    const auto json = PromptTemplate::fromJsonText(R"({"prompt": "{context}", "completion": "{question}"})", "x");
    EXPECT_TRUE(json.accepts({"question", "context"}, &reason));
    EXPECT_EQ(reason, "");
    EXPECT_FALSE(json.accepts({"question"}, &reason));
    EXPECT_NE(reason.find("'context'"), std::string::npos);
}

class ResolveTemplate : public testing::Test {
protected:
    std::filesystem::path model() { return m_folder / "model"; }
    std::filesystem::path data() { return m_folder / "rows.jsonl"; }
    void SetUp() override {
        std::filesystem::create_directories(model());
        test::writeText(model() / "tokenizer_config.json",
                        R"({"bos_token": {"content": "<b>"}, "eos_token": "<e>", "chat_template":
                            "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"})");
    }
    void writeJson() {
        test::writeText(m_folder / "template.json", R"({"prompt": "{context}", "completion": "{question}"})");
    }
    test::TemporaryFolder m_folder;
};

TEST_F(ResolveTemplate, AutoTakesTheFirstThatFits) {
    const std::vector<std::string> pair{"prompt", "response"};
    const std::vector<std::string> squad{"context", "question"};
    writeJson();
    const auto name = [](const TemplateRequest& request) { return resolveTemplate(request).name(); };
    EXPECT_EQ(name({.modelFolder = model(), .dataFile = data(), .columnNames = pair}), "model");
    EXPECT_EQ(name({.modelFolder = model(), .dataFile = data(), .columnNames = squad}), "template.json");
    EXPECT_EQ(name({.modelFolder = model(), .dataFile = data(), .hasMessages = true}), "model");
    EXPECT_EQ(name({.modelFolder = m_folder.path(), .dataFile = data(), .hasMessages = true}), "chatml");
    EXPECT_EQ(name({.dataFile = data(), .columnNames = squad}), "template.json");
    EXPECT_EQ(name({.dataFile = data(), .columnNames = pair}), "plain");
    EXPECT_EQ(name({.columnNames = {"instruction", "output"}}), "alpaca");
    EXPECT_EQ(name({}), "plain");
}

TEST_F(ResolveTemplate, NamesAndFilesAreTakenAsGiven) {
    writeJson();
    test::writeText(m_folder / "own.jinja", "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
    const auto resolve = [&](const std::string& nameOrPath) {
        return resolveTemplate({.nameOrPath = nameOrPath, .modelFolder = model()});
    };
    EXPECT_EQ(resolve("alpaca").name(), "alpaca");
    EXPECT_EQ(resolve("model").renderRow(kRow).text, "<b>[user]Say hi<e>[assistant]Hi<e>");
    EXPECT_TRUE(resolve("model").encoding().writesBos);
    EXPECT_EQ(resolve((m_folder / "template.json").string()).kind(), TemplateKind::Columns);
    EXPECT_EQ(resolve((m_folder / "own.jinja").string()).renderRow(kRow).text, "Say hi<e>Hi<e>");
    WB_EXPECT_ERROR(resolve("nosuch"), ErrorCode::NotFound, "there is no template 'nosuch'");
    WB_EXPECT_ERROR(resolve("/nowhere/t.jinja"), ErrorCode::NotFound, "/nowhere/t.jinja");
    WB_EXPECT_ERROR(resolveTemplate({.nameOrPath = "model", .modelFolder = m_folder.path()}), ErrorCode::NotFound,
                    "carries no chat template");
}

}  // namespace
}  // namespace wb::core
