// SPDX-License-Identifier: Apache-2.0
#include "core/text/chat_template.h"

#include <fmt/format.h>

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

Value messageValue(const ChatMessage& message, int index) {
    const SpanKind kind = message.role == "assistant" ? SpanKind::Assistant : SpanKind::Input;
    const Origin origin{kind, index};
    std::vector<std::pair<Value, Value>> entries;
    entries.emplace_back(Value::text("role"), Value::text(message.role));
    entries.emplace_back(Value::text("content"), Value::text(message.content, origin));
    if (!message.toolCallsJson.empty())
        entries.emplace_back(
            Value::text("tool_calls"),
            jinja::parseJsonValue(message.toolCallsJson, origin, fmt::format("tool calls of message {}", index)));
    return Value::map(std::move(entries));
}

std::vector<std::pair<std::string, Value>> templateVariables(const std::vector<ChatMessage>& messages,
                                                             const RenderOptions& options) {
    std::vector<Value> list;
    for (size_t i = 0; i < messages.size(); ++i) list.push_back(messageValue(messages[i], static_cast<int>(i)));
    std::vector<std::pair<std::string, Value>> variables;
    variables.emplace_back("messages", Value::list(std::move(list)));
    variables.emplace_back("tools", options.toolsJson.empty()
                                        ? Value::none()
                                        : jinja::parseJsonValue(options.toolsJson, {SpanKind::Input, -1}, "tools"));
    variables.emplace_back("documents", Value::none());
    variables.emplace_back("add_generation_prompt", Value::boolean(options.addGenerationPrompt));
    if (!options.bosToken.empty()) variables.emplace_back("bos_token", Value::text(options.bosToken));
    if (!options.eosToken.empty()) variables.emplace_back("eos_token", Value::text(options.eosToken));
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
