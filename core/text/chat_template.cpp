// SPDX-License-Identifier: Apache-2.0
#include "core/text/chat_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/interpreter.h"
#include "core/text/jinja/parser.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

using jinja::Origin;
using jinja::Value;

// Far above what a conversation needs and far below what would hurt.
constexpr size_t kMaxSteps = 3'000'000;
constexpr size_t kMaxBytesBuilt = size_t{512} << 20;
constexpr size_t kMaxTextBytes = size_t{16} << 20;

using Entries = std::vector<std::pair<Value, Value>>;

void setEntry(Entries& entries, std::string_view key, Value value) {
    for (auto& [name, current] : entries) {
        if (name.asText()->bytes() != key) continue;
        current = std::move(value);
        return;
    }
    entries.emplace_back(Value::text(std::string{key}), std::move(value));
}

const Value* findEntry(const Entries& entries, std::string_view key) {
    for (const auto& [name, value] : entries)
        if (name.asText()->bytes() == key) return &value;
    return nullptr;
}

// Reasoning goes by several names, of which templates read the first or the second. "thinking" becomes the first key.
void aliasReasoning(Entries& entries) {
    for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
        const Value* found = findEntry(entries, name);
        if (!found) continue;
        const Value reasoning = *found;
        const Value* known = findEntry(entries, "thinking");
        Value thinking = known ? *known : reasoning;
        std::erase_if(entries, [](const auto& entry) { return entry.first.asText()->bytes() == "thinking"; });
        entries.insert(entries.begin(), {Value::text("thinking"), std::move(thinking)});
        return setEntry(entries, "reasoning_content", reasoning);
    }
}

// Keys without a value are left out and reasoning gets its other names, as Hugging Face prepares messages: a template
// asks whether a key is there.
Value messageValue(const ChatMessage& message, int index) {
    const SpanKind kind = message.role == "assistant" ? SpanKind::Assistant : SpanKind::Input;
    const Origin origin{kind, index};
    const auto parse = [&](const std::string& json, const char* what) {
        return jinja::parseJsonValue(json, origin, fmt::format("{} of message {}", what, index));
    };
    const Value extra = message.extraJson.empty() ? Value::map({}) : parse(message.extraJson, "keys");
    if (!extra.asMap()) jinja::fail(fmt::format("keys of message {}: not a JSON object", index));
    const bool keepsOrder = extra.asMap()->find("role") != nullptr;
    Entries entries = keepsOrder ? extra.asMap()->entries : Entries{};
    setEntry(entries, "role", Value::text(message.role));
    setEntry(
        entries, "content",
        message.contentJson.empty() ? Value::text(message.content, origin) : parse(message.contentJson, "content"));
    if (!message.toolCallsJson.empty()) setEntry(entries, "tool_calls", parse(message.toolCallsJson, "tool calls"));
    if (!keepsOrder)
        for (const auto& [key, value] : extra.asMap()->entries) setEntry(entries, key.asText()->bytes(), value);
    std::erase_if(entries, [](const auto& entry) { return entry.second.isNone(); });
    // Names of keys are no text of the conversation.
    for (auto& [key, value] : entries) key = Value::text(key.asText()->bytes());
    aliasReasoning(entries);
    return Value::map(std::move(entries));
}

std::vector<std::pair<std::string, Value>> templateVariables(const std::vector<ChatMessage>& messages,
                                                             const RenderOptions& options) {
    std::vector<std::pair<std::string, Value>> variables;
    if (!options.variablesJson.empty()) {
        const Value given = jinja::parseJsonValue(options.variablesJson, {SpanKind::Input, -1}, "variables");
        if (!given.asMap()) jinja::fail("variables: not a JSON object");
        for (const auto& [name, value] : given.asMap()->entries) {
            const std::string& bytes = name.asText()->bytes();
            // Special tokens are the template's own words, wherever they were given.
            const bool isToken = bytes.ends_with("_token") && value.asText();
            variables.emplace_back(bytes, isToken ? Value::text(value.asText()->bytes()) : value);
        }
    }
    const auto setUnlessGiven = [&](std::string name, Value value) {
        for (const auto& [given, current] : variables)
            if (given == name) return;
        variables.emplace_back(std::move(name), std::move(value));
    };
    std::vector<Value> list;
    for (size_t i = 0; i < messages.size(); ++i) list.push_back(messageValue(messages[i], static_cast<int>(i)));
    setUnlessGiven("messages", Value::list(std::move(list)));
    setUnlessGiven("tools", options.toolsJson.empty()
                                ? Value::none()
                                : jinja::parseJsonValue(options.toolsJson, {SpanKind::Input, -1}, "tools"));
    setUnlessGiven("documents", Value::none());
    setUnlessGiven("add_generation_prompt", Value::boolean(options.addGenerationPrompt));
    if (!options.bosToken.empty()) setUnlessGiven("bos_token", Value::text(options.bosToken));
    if (!options.eosToken.empty()) setUnlessGiven("eos_token", Value::text(options.eosToken));
    return variables;
}

// Text that the template writes inside a {% generation %} block belongs to the message it is written with.
void giveMarkersTheirMessage(std::vector<TextSpan>& spans) {
    const auto adopt = [](TextSpan& span, const TextSpan& neighbour) {
        if (span.isMarker && span.message < 0 && neighbour.kind == SpanKind::Assistant)
            span.message = neighbour.message;
    };
    for (size_t i = 1; i < spans.size(); ++i) adopt(spans[i], spans[i - 1]);
    for (size_t i = spans.size(); i-- > 1;) adopt(spans[i - 1], spans[i]);
}

RenderedChat toRenderedChat(const jinja::Text& text, bool usesGeneration) {
    RenderedChat chat{text.bytes(), {}};
    size_t begin = 0;
    for (const auto& run : text.runs()) {
        TextSpan span{begin, run.end, run.origin.kind, run.origin.message, false};
        if (run.origin.isGenerated) {
            span.isMarker = span.kind == SpanKind::Template;
            span.kind = SpanKind::Assistant;
        } else if (usesGeneration && span.kind == SpanKind::Assistant) {
            span.kind = SpanKind::Input;
        }
        const bool continues =
            !chat.spans.empty() && chat.spans.back().kind == span.kind && chat.spans.back().message == span.message;
        if (continues) {
            chat.spans.back().end = span.end;
        } else {
            chat.spans.push_back(span);
        }
        begin = run.end;
    }
    giveMarkersTheirMessage(chat.spans);
    return chat;
}

}  // namespace

struct ChatTemplate::Program {
    std::string source;
    jinja::ParsedTemplate parsed;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : m_program(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

const std::string& ChatTemplate::source() const {
    return m_program->source;
}

bool ChatTemplate::marksAnswers() const {
    return m_program->parsed.usesGeneration;
}

ChatTemplate ChatTemplate::parse(std::string_view source, std::string_view sourceName) {
    auto program = std::make_unique<Program>();
    program->source = std::string{source};
    program->parsed = jinja::parseTemplate(source, sourceName);
    return ChatTemplate{std::move(program)};
}

RenderedChat ChatTemplate::render(const std::vector<ChatMessage>& messages, const RenderOptions& options) const {
    jinja::Runtime runtime{kMaxSteps, kMaxBytesBuilt, kMaxTextBytes, options.unixTime};
    try {
        auto variables = templateVariables(messages, options);
        jinja::Interpreter interpreter{m_program->parsed, runtime, std::move(variables)};
        return toRenderedChat(interpreter.render(), m_program->parsed.usesGeneration);
    } catch (const jinja::Failure& failure) {
        throw Error{failure.code, failure.message};
    }
}

}  // namespace wb::core
