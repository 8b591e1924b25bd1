// SPDX-License-Identifier: Apache-2.0
#include "core/text/chat_prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kernels/base/error.h"

namespace wb::core {
namespace {

// Templates that write today's date get this one instead (26 July 2024, which such templates fall back on themselves):
// the same row must give the same tokens on every day, or a resumed run would differ.
constexpr int64_t kFixedDate = 1721952000;
constexpr std::string_view kSpace = " \t\r\n\f\v";
constexpr const char* kPlaceholder = "answer";

std::optional<TextSpan> firstSpanOf(const RenderedChat& chat, int message) {
    for (const TextSpan& span : chat.spans)
        if (span.message == message) return span;
    return std::nullopt;
}

std::optional<TextSpan> lastSpanOf(const RenderedChat& chat, int message) {
    std::optional<TextSpan> last;
    for (const TextSpan& span : chat.spans)
        if (span.message == message) last = span;
    return last;
}

RenderedChat cut(RenderedChat chat, size_t end) {
    chat.text.resize(end);
    std::erase_if(chat.spans, [&](const TextSpan& span) { return span.begin >= end; });
    if (!chat.spans.empty()) chat.spans.back().end = std::min(chat.spans.back().end, end);
    return chat;
}

// Rewrites the spans of [begin, end) by `change`, cutting those that reach over an edge.
template <typename Change>
void changeSpans(RenderedChat& chat, size_t begin, size_t end, Change change) {
    std::vector<TextSpan> spans;
    const auto add = [&](TextSpan span) {
        if (span.begin >= span.end) return;
        const bool continues = !spans.empty() && spans.back().kind == span.kind &&
                               spans.back().message == span.message && spans.back().isMarker == span.isMarker;
        if (continues) {
            spans.back().end = span.end;
        } else {
            spans.push_back(span);
        }
    };
    for (const TextSpan& span : chat.spans) {
        TextSpan before = span;
        TextSpan inside = span;
        TextSpan after = span;
        before.end = std::min(span.end, begin);
        inside.begin = std::max(span.begin, begin);
        inside.end = std::min(span.end, end);
        after.begin = std::max(span.begin, end);
        add(before);
        if (inside.begin < inside.end) {
            change(inside);
            add(inside);
        }
        add(after);
    }
    chat.spans = std::move(spans);
}

std::string_view commonPrefix(std::string_view a, std::string_view b) {
    const auto end =
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
    return a.substr(0, static_cast<size_t>(end.first - a.begin()));
}

// The first word of what follows every answer. A "<..." that is not closed belongs to what follows the marker.
std::string firstWord(std::string_view text) {
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    std::string_view word = text.substr(begin, text.find_first_of(kSpace, begin) - begin);
    const size_t open = word.rfind('<');
    if (open != std::string_view::npos && open > 0 && word.find('>', open) == std::string_view::npos)
        word = word.substr(0, open);
    return std::string{word};
}

}  // namespace

ChatPrompt::ChatPrompt(ChatTemplate chatTemplate, std::string bosToken, std::string eosToken, std::string_view name)
    : m_template(std::move(chatTemplate)),
      m_bosToken(std::move(bosToken)),
      m_eosToken(std::move(eosToken)),
      m_name(name) {
    probePrompt();
    probeEndMarker();
}

RenderedChat ChatPrompt::render(const std::vector<ChatMessage>& messages, bool addGenerationPrompt,
                                std::string_view toolsJson) const {
    RenderOptions options;
    options.addGenerationPrompt = addGenerationPrompt;
    options.bosToken = m_bosToken;
    options.eosToken = m_eosToken;
    options.toolsJson = std::string{toolsJson};
    options.unixTime = kFixedDate;
    return m_template.render(messages, options);
}

void ChatPrompt::probePrompt() {
    const std::vector<ChatMessage> question{{"user", "question"}};
    const std::vector<ChatMessage> both{{"user", "question"}, {"assistant", kPlaceholder}};
    const RenderedChat full = render(both, false, {});
    const auto answer = firstSpanOf(full, 1);
    if (!answer)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("chat template '{}' does not write what the assistant answers; choose another template",
                                m_name)};
    m_writesBos = !m_bosToken.empty() && full.text.starts_with(m_bosToken);
    const std::string prompt = render(question, true, {}).text;
    const std::string withoutPrompt = render(question, false, {}).text;
    m_promptEnd = PromptEnd::AnswerBegin;
    if (!full.text.starts_with(prompt) || prompt.size() > answer->begin) return;
    std::string lead = full.text.substr(prompt.size(), answer->begin - prompt.size());
    // A template that ignores add_generation_prompt leaves the assistant's heading to the answer.
    if (prompt == withoutPrompt && lead.find_first_not_of(kSpace) != std::string::npos) return;
    m_promptEnd = PromptEnd::GenerationPrompt;
    m_lead = std::move(lead);
}

void ChatPrompt::probeEndMarker() {
    const std::vector<ChatMessage> messages{
        {"user", "question"}, {"assistant", kPlaceholder}, {"user", "question"}, {"assistant", kPlaceholder}};
    RenderedChat chat;
    try {
        chat = render(messages, false, {});
    } catch (const Error&) {
        // A template for one turn: what follows its only answer has to do.
        chat = render({messages[0], messages[1]}, false, {});
    }
    const auto first = lastSpanOf(chat, 1);
    const auto second = lastSpanOf(chat, 3);
    const auto next = firstSpanOf(chat, 2);
    if (!first) return;
    const std::string_view text = chat.text;
    if (!second || !next) {
        m_endMarker = firstWord(text.substr(first->end));
        return;
    }
    const std::string_view between = text.substr(first->end, next->begin - first->end);
    m_endMarker = firstWord(commonPrefix(between, text.substr(second->end)));
}

RenderedChat ChatPrompt::renderPromptBefore(const std::vector<ChatMessage>& messages, size_t count,
                                            std::string_view toolsJson) const {
    std::vector<ChatMessage> head{messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count)};
    if (m_promptEnd == PromptEnd::GenerationPrompt) return render(head, true, toolsJson);
    head.push_back({"assistant", kPlaceholder});
    RenderedChat chat = render(head, false, toolsJson);
    const auto answer = firstSpanOf(chat, static_cast<int>(count));
    if (!answer)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("chat template '{}' writes no answer after these {} messages", m_name, count)};
    return cut(std::move(chat), answer->begin);
}

RenderedChat ChatPrompt::renderPrompt(const std::vector<ChatMessage>& messages, std::string_view toolsJson) const {
    const bool endsInAnswer = !messages.empty() && messages.back().role == "assistant";
    return renderPromptBefore(messages, messages.size() - (endsInAnswer ? 1 : 0), toolsJson);
}

size_t ChatPrompt::answerBegin(const RenderedChat& chat, const std::vector<ChatMessage>& messages, size_t message,
                               std::string_view toolsJson) const {
    const auto content = firstSpanOf(chat, static_cast<int>(message));
    const bool isLast = message + 1 == messages.size();
    // Calls and reasoning are written around the content, with marks of their own.
    const bool isPlain = messages[message].toolCallsJson.empty() && messages[message].extraJson.empty() && content;
    if (!isLast && isPlain) {
        const std::string_view before = std::string_view{chat.text}.substr(0, content->begin);
        return before.ends_with(m_lead) ? content->begin - m_lead.size() : content->begin;
    }
    const std::string prompt = renderPromptBefore(messages, message, toolsJson).text;
    const bool fits = chat.text.starts_with(prompt) && (!content || prompt.size() <= content->begin);
    if (fits) return prompt.size();
    if (isLast) {
        const size_t same = commonPrefix(chat.text, prompt).size();
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("chat template '{}' writes the prompt of this row differently when the answer follows "
                                "(from byte {} on), so a model would not be asked what it was taught; choose another "
                                "template",
                                m_name, same)};
    }
    return content ? content->begin : chat.text.size();
}

// Behind the first end marker that the template wrote after `begin`; behind the message's own text if there is none
// before the next message.
size_t ChatPrompt::answerEnd(const RenderedChat& chat, size_t message, size_t begin) const {
    size_t limit = chat.text.size();
    size_t contentEnd = begin;
    for (const TextSpan& span : chat.spans) {
        if (span.end <= begin || span.message < 0) continue;
        if (span.message != static_cast<int>(message)) {
            limit = span.begin;
            break;
        }
        contentEnd = span.end;
    }
    if (m_endMarker.empty()) return contentEnd;
    for (size_t marker = chat.text.find(m_endMarker, begin); marker != std::string::npos;
         marker = chat.text.find(m_endMarker, marker + 1)) {
        const size_t end = marker + m_endMarker.size();
        if (end > limit) break;
        // A marker inside a message's text ends nothing.
        const bool isOwn = std::all_of(chat.spans.begin(), chat.spans.end(), [&](const TextSpan& span) {
            return span.end <= marker || span.begin >= end || span.kind == SpanKind::Template;
        });
        if (isOwn) return end;
    }
    return contentEnd;
}

void ChatPrompt::markAnswer(RenderedChat& chat, const std::vector<ChatMessage>& messages, size_t message,
                            std::string_view toolsJson) const {
    const size_t begin = answerBegin(chat, messages, message, toolsJson);
    const size_t end = answerEnd(chat, message, begin);
    // An answer that the template repeats later on is context there.
    changeSpans(chat, end, chat.text.size(), [&](TextSpan& span) {
        if (span.message == static_cast<int>(message) && span.kind == SpanKind::Assistant) span.kind = SpanKind::Input;
    });
    changeSpans(chat, begin, end, [&](TextSpan& span) {
        span.isMarker = span.kind == SpanKind::Template;
        span.kind = SpanKind::Assistant;
        span.message = static_cast<int>(message);
    });
}

RenderedChat ChatPrompt::renderRow(const std::vector<ChatMessage>& messages, std::string_view toolsJson) const {
    RenderedChat chat = render(messages, false, toolsJson);
    for (size_t i = 0; i < messages.size(); ++i) {
        if (messages[i].role != "assistant") continue;
        if (messages[i].weight != 0.0F) {
            if (!m_template.marksAnswers()) markAnswer(chat, messages, i, toolsJson);
            continue;
        }
        changeSpans(chat, 0, chat.text.size(), [&](TextSpan& span) {
            if (span.message != static_cast<int>(i) || span.kind != SpanKind::Assistant) return;
            span.kind = span.isMarker ? SpanKind::Template : SpanKind::Input;
            span.isMarker = false;
        });
    }
    return chat;
}

}  // namespace wb::core
