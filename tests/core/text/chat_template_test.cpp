// SPDX-License-Identifier: Apache-2.0
#include "core/text/chat_template.h"

#include <fstream>
#include <set>

#include "core/run/sha256.h"
#include "core/text/template_files.h"
#include "tests/core/test_files.h"
#include "tests/core/text/golden_conversations.h"

namespace wb::core {
namespace {

using test::Conversation;
using test::goldenConversations;

RenderedChat renderOne(std::string_view source, std::vector<ChatMessage> messages = {{"user", "Hi"}},
                       const RenderOptions& options = {}) {
    return ChatTemplate::parse(source, "t").render(messages, options);
}

std::string textOf(std::string_view source) {
    return renderOne(source).text;
}

// An error without the "name:line:column: " in front.
std::string withoutPlace(std::string_view error) {
    for (int colons = 0; colons < 3; ++colons) error.remove_prefix(error.find(':') + 1);
    return std::string{error.substr(1)};
}

TEST(ChatTemplate, RendersEveryGoldenByteForByte) {
    const auto conversations = goldenConversations();
    const auto golden = test::readGolden("chat_templates.json");
    std::set<std::string> seen;
    for (const auto& expected : golden.at("cases")) {
        const std::string file = expected.at("template");
        SCOPED_TRACE(file + ", " + expected.at("conversation").get<std::string>());
        seen.insert(file);
        const Conversation& conversation = conversations.at(expected.at("conversation"));
        const auto chatTemplate = ChatTemplate::parse(test::readText(test::goldenFolder() / "templates" / file), "t");
        if (expected.contains("error")) {
            const auto failure =
                test::failureOf([&] { chatTemplate.render(conversation.messages, conversation.options); });
            ASSERT_TRUE(failure.has_value());
            // Python's own words for what went wrong are not stored; those of the template are.
            if (!expected.at("error").is_null()) {
                EXPECT_EQ(withoutPlace(failure->text), expected.at("error").get<std::string>());
            }
            continue;
        }
        const RenderedChat chat = chatTemplate.render(conversation.messages, conversation.options);
        EXPECT_EQ(chat.text, expected.at("text").get<std::string>());
        test::expectSpansCover(chat);
    }
    EXPECT_EQ(seen.size(), test::templateFiles().size()) << "run make_template_goldens.py for new templates";
}

TEST(ChatTemplate, RendersRandomCasesAsTheReferenceDoes) {
    const auto golden = test::readGolden("template_cases.json");
    std::vector<ChatMessage> messages;
    for (const auto& message : golden.at("messages")) messages.push_back(test::messageOf(message));
    const RenderOptions options{.addGenerationPrompt = true, .variablesJson = golden.at("variables").dump()};
    for (const auto& expected : golden.at("cases")) {
        const std::string source = expected.at("template");
        SCOPED_TRACE(source);
        std::optional<std::string> text;
        std::string problem;
        try {
            const RenderedChat chat = ChatTemplate::parse(source, "t").render(messages, options);
            test::expectSpansCover(chat);
            text = chat.text;
        } catch (const Error& error) {
            problem = error.what();
        }
        if (expected.at("text").is_null()) {
            EXPECT_FALSE(text.has_value()) << *text;
        } else {
            ASSERT_TRUE(text.has_value()) << problem;
            EXPECT_EQ(*text, expected.at("text").get<std::string>());
        }
    }
    EXPECT_GE(golden.at("cases").size(), 250U);
}

TEST(ChatTemplate, GenerationBlocksAreExactlyWhatIsTrained) {
    const auto conversations = goldenConversations();
    const auto chatTemplate =
        ChatTemplate::parse(test::readText(test::goldenFolder() / "templates/generation_marks.jinja"), "t");
    EXPECT_TRUE(chatTemplate.marksAnswers());
    int compared = 0;
    const auto golden = test::readGolden("chat_templates.json");
    for (const auto& expected : golden.at("cases")) {
        // This template prints lists of parts as they are; the case with them has a test of its own.
        if (expected.at("template") != "generation_marks.jinja" || !expected.contains("generated") ||
            expected.at("conversation") == "typed parts")
            continue;
        SCOPED_TRACE(expected.at("conversation").get<std::string>());
        const Conversation& conversation = conversations.at(expected.at("conversation"));
        const RenderedChat chat = chatTemplate.render(conversation.messages, conversation.options);
        std::string wanted;
        for (const auto& range : expected.at("generated"))
            wanted += chat.text.substr(range[0], range[1].get<size_t>() - range[0].get<size_t>());
        EXPECT_EQ(test::trainedText(chat), wanted);
        for (const TextSpan& span : chat.spans)
            if (span.kind == SpanKind::Assistant) {
                const bool isEmptyAnswer = span.message < 0;
                if (!isEmptyAnswer) {
                    EXPECT_EQ(conversation.messages.at(static_cast<size_t>(span.message)).role, "assistant");
                }
                EXPECT_EQ(span.isMarker, chat.text.substr(span.begin, 10) == "<|im_end|>");
            }
        ++compared;
    }
    EXPECT_GT(compared, 3);
}

TEST(ChatTemplate, SharedTemplatesMatchTheReference) {
    WB_NEED_SHARED_DATA(folder, "chat_templates");
    const auto conversations = goldenConversations();
    for (const auto& expected : test::readGolden("chat_template_hashes.json")) {
        const std::string name = expected.at("file");
        const auto path = test::sharedData(name);
        if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
        SCOPED_TRACE(name + ", " + expected.at("conversation").get<std::string>());
        const bool isConfig = path.extension() == ".json";
        const auto chatTemplate = isConfig ? loadChatTemplate(path.parent_path())
                                           : std::optional{ChatTemplate::parse(test::readText(path), "t")};
        ASSERT_TRUE(chatTemplate.has_value());
        const Conversation& conversation = conversations.at(expected.at("conversation"));
        std::string kind = "text";
        std::string text;
        try {
            const RenderedChat chat = chatTemplate->render(conversation.messages, conversation.options);
            test::expectSpansCover(chat);
            text = chat.text;
        } catch (const Error& error) {
            kind = "error";
            text = withoutPlace(error.what());
        }
        EXPECT_EQ(kind, expected.at("kind").get<std::string>()) << text;
        if (!expected.contains("sha256")) continue;
        Sha256 hash;
        hash.update(text);
        EXPECT_EQ(hash.finish(), expected.at("sha256").get<std::string>()) << text;
    }
}

// Contents written in characters that no template uses show where each byte of the result came from.
char32_t markOf(size_t message) {
    return U'\U000F0000' + static_cast<char32_t>(message) * 64;
}

std::string markedContent(size_t message) {
    std::string text = "  ";
    for (const int letter : {0, 1, 2}) {
        const char32_t c = markOf(message) + static_cast<char32_t>(letter);
        text += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
                 static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
        text += letter == 1 ? "\n" : "";
    }
    return text + " ";
}

TEST(ChatTemplate, SpansNameTheMessageOfEveryByteThroughAllOperations) {
    size_t checked = 0;
    for (const auto& file : test::templateFiles()) {
        const auto chatTemplate = ChatTemplate::parse(test::readText(file), "t");
        for (auto& [name, conversation] : goldenConversations()) {
            SCOPED_TRACE(file.filename().string() + ", " + name);
            auto messages = conversation.messages;
            for (size_t i = 0; i < messages.size(); ++i) {
                messages[i].content = markedContent(i);
                messages[i].contentJson.clear();
            }
            RenderedChat chat;
            try {
                chat = chatTemplate.render(messages, conversation.options);
            } catch (const Error&) {
                continue;  // a role that the template refuses
            }
            test::expectSpansCover(chat);
            for (const TextSpan& span : chat.spans) {
                const std::string bytes = chat.text.substr(span.begin, span.end - span.begin);
                for (size_t i = 0; i + 3 < bytes.size(); ++i) {
                    if (static_cast<unsigned char>(bytes[i]) != 0xF3) continue;
                    const size_t message =
                        (static_cast<size_t>(bytes[i + 2] & 0x3F) << 6 | static_cast<size_t>(bytes[i + 3] & 0x3F)) / 64;
                    ++checked;
                    ASSERT_EQ(span.message, static_cast<int>(message));
                    const bool isAnswer = messages[message].role == "assistant";
                    ASSERT_EQ(span.kind, isAnswer ? SpanKind::Assistant : SpanKind::Input);
                }
                if (span.kind == SpanKind::Template) {
                    ASSERT_EQ(bytes.find('\xF3'), std::string::npos);
                }
            }
        }
    }
    EXPECT_GT(checked, 1000U);
}

TEST(ChatTemplate, OriginsSurviveTrimReplaceSliceAndJson) {
    const std::vector<ChatMessage> messages{{"user", " a-b "}, {"assistant", "x\"y"}};
    const RenderedChat chat = renderOne(
        "{{ messages[0].content | trim | replace('-', '+') }}|{{ messages[1].content | tojson }}"
        "|{{ (messages[0].content ~ messages[1].content)[3:7] }}",
        messages);
    EXPECT_EQ(chat.text, "a+b|\"x\\\"y\"|b x\"");
    const std::vector<TextSpan> expected{{0, 1, SpanKind::Input, 0},     {1, 2, SpanKind::Template, -1},
                                         {2, 3, SpanKind::Input, 0},     {3, 5, SpanKind::Template, -1},
                                         {5, 9, SpanKind::Assistant, 1}, {9, 11, SpanKind::Template, -1},
                                         {11, 13, SpanKind::Input, 0},   {13, 15, SpanKind::Assistant, 1}};
    EXPECT_EQ(chat.spans, expected);
}

TEST(ChatTemplate, ReplacementsBringTheirOwnOrigin) {
    const RenderedChat chat = renderOne("{{ 'x-y' | replace('-', messages[0].content) }}", {{"user", "abc"}});
    const std::vector<TextSpan> expected{
        {0, 1, SpanKind::Template, -1}, {1, 4, SpanKind::Input, 0}, {4, 5, SpanKind::Template, -1}};
    EXPECT_EQ(chat.spans, expected);
}

TEST(ChatTemplate, TokensAreUndefinedWhereTheModelHasNone) {
    EXPECT_EQ(textOf("{{ bos_token is defined }}{{ eos_token is defined }}[{{ bos_token }}]"), "FalseFalse[]");
    EXPECT_EQ(renderOne("{{ bos_token }}", {}, {.bosToken = "<s>"}).text, "<s>");
    EXPECT_EQ(textOf("{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}"), "TrueTrueFalse");
}

TEST(ChatTemplate, GivenTimeIsWhatStrftimeNowSees) {
    EXPECT_EQ(renderOne("{{ strftime_now('%d %b %Y') }}", {}, {.unixTime = 1721952000}).text, "26 Jul 2024");
    EXPECT_EQ(textOf("{{ strftime_now('%Y') | length }}"), "4");
}

struct Mistake {
    const char* source;
    ErrorCode code;
    const char* part;
};

TEST(ChatTemplate, SyntaxErrorsNameLineAndColumn) {
    const Mistake mistakes[] = {
        {"one\n  {{ 1 + }}", ErrorCode::InvalidArgument, "t:2:10: expected an expression"},
        {"{% if true %}x", ErrorCode::InvalidArgument, "expected 'endif'"},
        {"a\n{% endif %}", ErrorCode::InvalidArgument, "t:2:4: 'endif' closes no block"},
        {"{% for x on y %}", ErrorCode::InvalidArgument, "t:1:10: expected 'in'"},
        {"{{ 'abc }}", ErrorCode::InvalidArgument, "t:1:4: this text is never closed"},
        {"{{ x", ErrorCode::InvalidArgument, "t:1:1: this tag is never closed with '}}'"},
        {"{# x", ErrorCode::InvalidArgument, "t:1:1: this comment is never closed"},
        {"{% raw %} x", ErrorCode::InvalidArgument, "t:1:1: this raw block is never closed"},
        {"{{ (1, 2] }}", ErrorCode::InvalidArgument, "t:1:9: ']' found where ')' must come first"},
        {"{{ 1 ] }}", ErrorCode::InvalidArgument, "']' closes nothing"},
        {"{{ a ? b }}", ErrorCode::InvalidArgument, "unexpected character '?'"},
        {"{% break %}", ErrorCode::InvalidArgument, "'break' outside of a loop"},
        {"{% macro m() %}{% break %}{% endmacro %}", ErrorCode::InvalidArgument, "outside of a loop"},
        {"{{ f(a=1, 2) }}", ErrorCode::InvalidArgument, "positional argument follows a named or unpacked one"},
        {"{{ 99999999999999999999 }}", ErrorCode::InvalidArgument, "too large"},
        {"{% set true = 1 %}", ErrorCode::InvalidArgument, "'true' cannot be assigned to"},
        {"{{ x | nosuch }}", ErrorCode::Unsupported, "t:1:8: the filter 'nosuch' is not supported"},
        {"{{ x is nosuch }}", ErrorCode::Unsupported, "t:1:9: the test 'nosuch' is not supported"},
        {"{% include 'x' %}", ErrorCode::Unsupported, "t:1:4: the statement 'include' is not supported"},
        {"{% extends 'x' %}", ErrorCode::Unsupported, "'extends' is not supported"},
        {"{% import 'x' as y %}", ErrorCode::Unsupported, "'import' is not supported"},
        {"{% wibble %}", ErrorCode::Unsupported, "the statement 'wibble' is not known"},
        {"{{ f(**a, *b) }}", ErrorCode::InvalidArgument, "only one * and one **"},
        {"{{ f(*a, b) }}", ErrorCode::InvalidArgument, "positional argument follows a named or unpacked"},
        {"{{ '\\N{BULLET}' }}", ErrorCode::InvalidArgument, "characters by name"},
        {"{{ '\\ud800' }}", ErrorCode::InvalidArgument, "not a Unicode character"},
    };
    for (const Mistake& mistake : mistakes) {
        SCOPED_TRACE(mistake.source);
        WB_EXPECT_ERROR(ChatTemplate::parse(mistake.source, "t"), mistake.code, mistake.part);
    }
}

TEST(ChatTemplate, MistakesWhileRenderingNameTheirPlace) {
    const Mistake mistakes[] = {
        {"\n {{ raise_exception('No ' ~ 1) }}", ErrorCode::InvalidArgument, "t:2:20: No 1"},
        {"{{ missing.attribute }}", ErrorCode::InvalidArgument, "t:1:11: 'missing' is undefined"},
        {"{{ 'a' + missing }}", ErrorCode::InvalidArgument, "'missing' is undefined"},
        {"{{ 'a' + none }}", ErrorCode::InvalidArgument, "t:1:8: '+' does not work between str and NoneType"},
        {"{{ 'a' + 1 }}", ErrorCode::InvalidArgument, "between str and int"},
        {"{{ nothing() }}", ErrorCode::InvalidArgument, "'nothing' is undefined"},
        {"{{ 'x'.nosuch() }}", ErrorCode::InvalidArgument, "no method 'nosuch'"},
        {"{{ 1 // 0 }}", ErrorCode::InvalidArgument, "division by zero"},
        {"{{ 9223372036854775807 + 1 }}", ErrorCode::InvalidArgument, "integer overflow"},
        {"{{ (-9223372036854775807 - 1) // -1 }}", ErrorCode::InvalidArgument, "integer overflow"},
        {"{% for a, b in [[1, 2, 3]] %}{% endfor %}", ErrorCode::InvalidArgument, "cannot unpack 3 value(s) into 2"},
        {"{% for a in 5 %}{% endfor %}", ErrorCode::InvalidArgument, "type int cannot be iterated"},
        {"{% set x = {} %}{% set x.y = 1 %}", ErrorCode::InvalidArgument, "'x' is not a namespace"},
        {"{{ [1].append(2) }}", ErrorCode::InvalidArgument, "cannot be changed in place"},
        {"{{ [1, 'a'] | sort }}", ErrorCode::InvalidArgument, "does not work between"},
        {"{{ missing | tojson }}", ErrorCode::InvalidArgument, "'missing' is undefined"},
        {"{{ [1] | map('nosuch') | list }}", ErrorCode::Unsupported, "the filter 'nosuch'"},
        {"{{ 'x'[1:2:0] }}", ErrorCode::InvalidArgument, "step must not be zero"},
        {"{{ range(0, 10, 0) }}", ErrorCode::InvalidArgument, "step must not be zero"},
        {"{{ {[1]: 2} }}", ErrorCode::InvalidArgument, "cannot be the key"},
        {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", ErrorCode::InvalidArgument, "takes 1 argument(s), 2 given"},
        {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", ErrorCode::InvalidArgument, "has no parameter 'b'"},
        {"{{ '{:y}'.format(1) }}", ErrorCode::Unsupported, "the specification 'y' is not supported"},
        {"{{ '{:{}}'.format(1, 2) }}", ErrorCode::Unsupported, "fields inside of fields"},
        {"{{ '%y' % 1 }}", ErrorCode::Unsupported, "the conversion 'y' is not supported"},
        {"{{ '{:d}'.format(1.5) }}", ErrorCode::InvalidArgument, "'d' does not fit a value of type float"},
        {"{{ '1e30' | float | int }}", ErrorCode::Unsupported, "beyond 64 bits"},
        {"{{ (-2) ** 0.5 }}", ErrorCode::Unsupported, "complex numbers"},
        {"{% for x in [1] %}{{ loop([2]) }}{% endfor %}", ErrorCode::InvalidArgument, "'for ... recursive'"},
        {"{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", ErrorCode::InvalidArgument, "is given 'a' twice"},
        {"{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}", ErrorCode::InvalidArgument, "'caller'"},
        {"{% set ns = namespace(_a=1) %}", ErrorCode::InvalidArgument, "must not begin with an underscore"},
        {"{% set ns = namespace() %}{% set ns.__class__ = 1 %}", ErrorCode::InvalidArgument, "an underscore"},
        {"{{ {}.update({'a': 1}) }}", ErrorCode::InvalidArgument, "cannot be changed in place"},
        {"{{ {}.items()[0:1] }}", ErrorCode::InvalidArgument, "dict_items cannot be sliced"},
        {"{{ [1] | map('string') | last }}", ErrorCode::InvalidArgument, "put 'list' in between"},
        {"{{ [[1]] | unique | list }}", ErrorCode::InvalidArgument, "cannot be the key"},
        {"{{ 'a'.split('') }}", ErrorCode::InvalidArgument, "separator must not be empty"},
    };
    for (const Mistake& mistake : mistakes) {
        SCOPED_TRACE(mistake.source);
        WB_EXPECT_ERROR(textOf(mistake.source), mistake.code, mistake.part);
    }
}

std::string repeated(std::string_view part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
}

TEST(ChatTemplate, MessagesKeepTheirOtherKeysInOrder) {
    const ChatMessage message{.role = "tool",
                              .content = "7",
                              .extraJson = R"({"tool_call_id": "c1", "role": "?", "name": null, "content": "?"})"};
    const RenderedChat chat = renderOne("{{ messages[0] | tojson }}{{ messages[0].name is defined }}", {message});
    EXPECT_EQ(chat.text, R"({"tool_call_id": "c1", "role": "tool", "content": "7"}False)");
    const ChatMessage plain{.role = "user", .content = "x", .extraJson = R"({"name": "mara"})"};
    EXPECT_EQ(renderOne("{{ messages[0] | tojson }}", {plain}).text,
              R"({"role": "user", "content": "x", "name": "mara"})");
    WB_EXPECT_ERROR(renderOne("x", {{.role = "user", .content = "x", .extraJson = "[]"}}), ErrorCode::InvalidArgument,
                    "keys of message 0: not a JSON object");
}

TEST(ChatTemplate, ReasoningGoesByAllItsNames) {
    const ChatMessage answer{.role = "assistant", .content = "a", .extraJson = R"({"reasoning": "why"})"};
    const RenderedChat chat =
        renderOne("{{ messages[0].thinking }},{{ messages[0].reasoning_content }},{{ messages[0].content }}", {answer});
    EXPECT_EQ(chat.text, "why,why,a");
    EXPECT_EQ(test::trainedText(chat), "whywhya");
}

TEST(ChatTemplate, PartsAndMissingContentsReachTheTemplate) {
    const ChatMessage parts{.role = "assistant", .content = "", .contentJson = R"([{"type": "text", "text": "ab"}])"};
    const RenderedChat chat = renderOne("{% for p in messages[0].content %}<{{ p.text }}>{% endfor %}", {parts});
    EXPECT_EQ(chat.text, "<ab>");
    EXPECT_EQ(test::trainedText(chat), "ab");
    const ChatMessage none{.role = "assistant", .content = "", .contentJson = "null"};
    EXPECT_EQ(renderOne("{{ messages[0].content is defined }}", {none}).text, "False");
}

TEST(ChatTemplate, VariablesOfTheCallerComeFirst) {
    const RenderOptions options{.bosToken = "<s>",
                                .variablesJson = R"({"bos_token": "<b>", "enable_thinking": false})"};
    EXPECT_EQ(renderOne("{{ bos_token }}{{ enable_thinking }}", {}, options).text, "<b>False");
    WB_EXPECT_ERROR(renderOne("x", {}, {.variablesJson = "5"}), ErrorCode::InvalidArgument,
                    "variables: not a JSON object");
}

TEST(ChatTemplate, NumbersBeyond64BitsAreRefused) {
    WB_EXPECT_ERROR(renderOne("x", {}, {.variablesJson = R"({"n": 18446744073709551615})"}), ErrorCode::Unsupported,
                    "needs more than 64 bits");
}

TEST(ChatTemplate, RunawayTemplatesAreStopped) {
    const std::string deep = repeated("(", 5000) + "1" + repeated(")", 5000);
    const std::string longSum = "1" + repeated(" + 1", 5000);
    const std::string nested = repeated("{% if true %}", 5000);
    const Mistake mistakes[] = {
        {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", ErrorCode::InvalidArgument,
         "too many steps"},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ErrorCode::InvalidArgument, "levels deep"},
        {"{{ 'x' * 1000000000 }}", ErrorCode::InvalidArgument, "over the limit"},
        {"{{ [1] * 1000000000 }}", ErrorCode::InvalidArgument, "too long"},
        {"{{ 'x'.rjust(9000000000000000000) }}", ErrorCode::InvalidArgument, "over the limit"},
        {"{{ 'x' | indent(9000000000000000000) }}", ErrorCode::InvalidArgument, "over the limit"},
        {"{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
         ErrorCode::InvalidArgument, "over the limit"},
        {"{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x "
         "}}",
         ErrorCode::InvalidArgument, "t:1:"},
        {"{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}",
         ErrorCode::InvalidArgument, "nested more than"},
        {"{% set ns = namespace() %}{% set ns.self = ns %}", ErrorCode::InvalidArgument, "cannot hold a namespace"},
        {"{% set ns = namespace() %}{% set ns.self = [{'a': ns}] %}", ErrorCode::InvalidArgument, "cannot hold"},
        {"{{ range(1000000) }}", ErrorCode::InvalidArgument, "more than 100000"},
        {"{% for a in range(100000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 100 }}{% endfor %}",
         ErrorCode::InvalidArgument, "over the limit"},
        {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", ErrorCode::InvalidArgument, "levels deep"},
        {"{{ '{:900000000}'.format(1) }}", ErrorCode::InvalidArgument, "too large"},
        {"{{ '%99999999d' % 1 }}", ErrorCode::InvalidArgument, "over the limit"},
        {"{{ '{:0200000000,}'.format(1) }}", ErrorCode::InvalidArgument, "over the limit"},
        {"{{ [1] | batch(100000000, 0) | list }}", ErrorCode::InvalidArgument, "too"},
        {"{{ [1] | slice(100000000) | list }}", ErrorCode::InvalidArgument, "too"},
    };
    for (const Mistake& mistake : mistakes) {
        SCOPED_TRACE(std::string{mistake.source}.substr(0, 80));
        WB_EXPECT_ERROR(textOf(mistake.source), mistake.code, mistake.part);
    }
    WB_EXPECT_ERROR(textOf("{{ " + deep + " }}"), ErrorCode::InvalidArgument, "nested more than");
    WB_EXPECT_ERROR(textOf("{{ " + longSum + " }}"), ErrorCode::InvalidArgument, "operations deep");
    WB_EXPECT_ERROR(textOf(nested), ErrorCode::InvalidArgument, "nested more than");
    WB_EXPECT_ERROR(textOf(std::string(2 << 20, 'x')), ErrorCode::InvalidArgument, "the limit is");
}

TEST(ChatTemplate, MacrosAndTheirScopesAreFreed) {
    // A ring of macro, scope and namespace: the leak checker of the sanitizer build watches this.
    EXPECT_EQ(textOf("{% set ns = namespace() %}{% for i in [1] %}{% macro m() %}{{ ns.f is defined }}{% endmacro %}"
                     "{% set ns.f = m %}{% endfor %}{{ ns.f() }}"),
              "True");
}

TEST(ChatTemplate, BrokenToolJsonIsNamed) {
    WB_EXPECT_ERROR(renderOne("{{ tools }}", {}, {.toolsJson = "[{"}), ErrorCode::InvalidArgument,
                    "tools: not valid JSON");
    WB_EXPECT_ERROR(renderOne("x", {{"user", "u"}, {"assistant", "", 1.0F, "nope"}}), ErrorCode::InvalidArgument,
                    "tool calls of message 1");
    WB_EXPECT_ERROR(renderOne("x", {}, {.toolsJson = repeated("[", 500) + repeated("]", 500)}),
                    ErrorCode::InvalidArgument, "nested more than");
}

TEST(ChatTemplate, InvalidUtf8PassesThroughUnharmed) {
    const std::string content = "a\xFF\xC3(\xE2\x82 b";
    const RenderedChat chat = renderOne("{{ messages[0].content | trim | upper | lower }}", {{"user", content}});
    EXPECT_EQ(chat.text, content);
    EXPECT_EQ(renderOne("{{ messages[0].content | length }}", {{"user", content}}).text, "8");
}

TEST(ChatTemplate, IsReadFromEveryPlaceAModelKeepsIt) {
    const test::TemporaryFolder folder;
    const auto write = [&](const char* name, std::string_view text) {
        std::ofstream{folder.path() / name, std::ios::binary} << text;
    };
    EXPECT_FALSE(loadChatTemplate(folder.path()).has_value());
    write("tokenizer_config.json", R"({"chat_template": null})");
    EXPECT_FALSE(loadChatTemplate(folder.path()).has_value());
    write("tokenizer_config.json", R"({"chat_template": "config"})");
    EXPECT_EQ(loadChatTemplate(folder.path())->source(), "config");
    write("tokenizer_config.json",
          R"({"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]})");
    EXPECT_EQ(loadChatTemplate(folder.path())->source(), "d");
    write("tokenizer_config.json",
          R"({"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "u"}]})");
    EXPECT_EQ(loadChatTemplate(folder.path())->source(), "d");
    EXPECT_EQ(loadChatTemplate(folder.path(), ChatTemplateUse::Tools)->source(), "u");
    write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"}]})");
    WB_EXPECT_ERROR(loadChatTemplate(folder.path()), ErrorCode::Unsupported, "none is named 'default'");
    write("tokenizer_config.json", R"({"chat_template": 5})");
    WB_EXPECT_ERROR(loadChatTemplate(folder.path()), ErrorCode::CorruptFile, "neither a text nor a list");
    write("tokenizer_config.json", "[");
    WB_EXPECT_ERROR(loadChatTemplate(folder.path()), ErrorCode::CorruptFile, "not a JSON object");
    write("chat_template.json", R"({"chat_template": "json"})");
    EXPECT_EQ(loadChatTemplate(folder.path())->source(), "json");
    write("chat_template.jinja", "jinja");
    EXPECT_EQ(loadChatTemplate(folder.path())->source(), "jinja");
    EXPECT_EQ(loadChatTemplate(folder.path(), ChatTemplateUse::Tools)->source(), "jinja");
    std::filesystem::create_directory(folder.path() / "additional_chat_templates");
    write("additional_chat_templates/tool_use.jinja", "tools");
    EXPECT_EQ(loadChatTemplate(folder.path(), ChatTemplateUse::Tools)->source(), "tools");
    EXPECT_EQ(loadChatTemplate(folder.path())->source(), "jinja");
}

TEST(ChatTemplate, SpecialTokensComeFromBothFiles) {
    const test::TemporaryFolder folder;
    std::ofstream{folder.path() / "tokenizer_config.json"}
        << R"({"bos_token": {"content": "<s>"}, "eos_token": null, "pad_token": "<pad>"})";
    std::ofstream{folder.path() / "special_tokens_map.json"}
        << R"({"bos_token": "<x>", "eos_token": "</s>", "pad_token": "<y>", "unk_token": {"content": "<unk>"}})";
    const TemplateTokens tokens = readTemplateTokens(folder.path());
    EXPECT_EQ(tokens.bos, "<s>");
    EXPECT_EQ(tokens.eos, "</s>");
    const std::vector<std::pair<std::string, std::string>> others{{"pad_token", "<pad>"}, {"unk_token", "<unk>"}};
    EXPECT_EQ(tokens.others, others);
}

}  // namespace
}  // namespace wb::core
