// SPDX-License-Identifier: Apache-2.0
#include "core/text/column_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/base/error.h"

namespace wb::core {
namespace {

// Separates the turns of a conversation in templates that were made for one turn.
constexpr std::string_view kTurnSeparator = "\n\n";

std::vector<std::string> namesOf(const PromptColumns& columns) {
    std::vector<std::string> names;
    for (const auto& [name, value] : columns) names.push_back(name);
    return names;
}

void requireColumns(const ColumnPattern& pattern, const PromptColumns& columns, std::string_view templateName) {
    for (const std::string& name : pattern.columns()) {
        if (columns.find(name) != columns.end()) continue;
        throw Error{ErrorCode::InvalidArgument, fmt::format("template '{}' asks for the column '{}', the row has {}",
                                                            templateName, name, listNames(namesOf(columns)))};
    }
}

const std::string* findFirst(const PromptColumns& columns, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names)
        if (const auto found = columns.find(name); found != columns.end()) return &found->second;
    return nullptr;
}

}  // namespace

std::string listNames(const std::vector<std::string>& names) {
    if (names.empty()) return "none";
    std::string list;
    for (size_t i = 0; i < names.size(); ++i) {
        if (i > 0) list.append(i + 1 == names.size() ? " and " : ", ");
        list.append(fmt::format("'{}'", names[i]));
    }
    return list;
}

void appendSpan(RenderedChat& out, std::string_view bytes, SpanKind kind, int message, bool isMarker) {
    if (bytes.empty()) return;
    const size_t begin = out.text.size();
    out.text.append(bytes);
    if (!out.spans.empty()) {
        TextSpan& last = out.spans.back();
        if (last.kind == kind && last.message == message && last.isMarker == isMarker) {
            last.end = out.text.size();
            return;
        }
    }
    out.spans.push_back({begin, out.text.size(), kind, message, isMarker});
}

ColumnPattern::ColumnPattern(std::string_view pattern, std::string_view what) {
    const auto failAt = [&](size_t position, std::string_view why) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}, byte {}: {}", what, position + 1, why)};
    };
    std::string literal;
    const auto flush = [&] {
        if (!literal.empty()) m_pieces.push_back({std::exchange(literal, {}), false});
    };
    for (size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if ((c == '{' || c == '}') && i + 1 < pattern.size() && pattern[i + 1] == c) {
            literal.push_back(c);
            ++i;
        } else if (c == '}') {
            failAt(i, "a '}' without '{'; write '}}' for a brace");
        } else if (c == '{') {
            const size_t close = pattern.find_first_of("{}", i + 1);
            if (close == std::string_view::npos || pattern[close] != '}')
                failAt(i, "this '{' is not closed; write '{{' for a brace");
            if (close == i + 1) failAt(i, "a mark without a column name");
            flush();
            m_pieces.push_back({std::string{pattern.substr(i + 1, close - i - 1)}, true});
            i = close;
        } else {
            literal.push_back(c);
        }
    }
    flush();
}

std::vector<std::string> ColumnPattern::columns() const {
    std::vector<std::string> names;
    for (const Piece& piece : m_pieces)
        if (piece.isColumn && std::find(names.begin(), names.end(), piece.text) == names.end())
            names.push_back(piece.text);
    return names;
}

void ColumnPattern::append(RenderedChat& out, const PromptColumns& values, SpanKind literals, SpanKind contents,
                           int message) const {
    for (const Piece& piece : m_pieces) {
        if (!piece.isColumn) {
            const bool isTrained = literals == SpanKind::Assistant;
            appendSpan(out, piece.text, literals, isTrained ? message : -1, isTrained);
        } else if (const auto value = values.find(piece.text); value != values.end()) {
            appendSpan(out, value->second, contents, message);
        }
    }
}

RowMeaning readMeaning(const PromptColumns& columns) {
    RowMeaning meaning;
    const std::string* prompt = findFirst(columns, {"prompt"});
    if (!prompt) {
        prompt = findFirst(columns, {"instruction"});
        const std::string* input = prompt ? findFirst(columns, {"input"}) : nullptr;
        if (input) meaning.input = *input;
    }
    if (!prompt) prompt = findFirst(columns, {"question", "input"});
    const std::string* response = findFirst(columns, {"response", "completion", "output", "answer"});
    if (prompt) meaning.prompt = *prompt;
    if (response) meaning.response = *response;
    meaning.hasPrompt = prompt != nullptr;
    meaning.hasResponse = response != nullptr;
    return meaning;
}

const ColumnPattern& ColumnTemplate::promptFor(const PromptColumns& columns) const {
    const auto input = columns.find("input");
    const bool hasInput = input != columns.end() && !input->second.empty();
    return isAlpaca && !hasInput ? promptWithoutInput : prompt;
}

namespace {

// The columns of a row under the names that a built-in template uses.
PromptColumns canonicalColumns(const PromptColumns& columns, bool isAlpaca, std::string_view templateName) {
    const RowMeaning meaning = readMeaning(columns);
    if (!meaning.hasPrompt)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("template '{}' needs a column 'prompt', 'instruction' or 'question', the row has {}; "
                                "name the columns in a template.json",
                                templateName, listNames(namesOf(columns)))};
    PromptColumns canonical;
    if (isAlpaca) {
        canonical["instruction"] = meaning.prompt;
        canonical["input"] = meaning.input;
    } else {
        canonical["prompt"] = meaning.input.empty() ? meaning.prompt : meaning.prompt + "\n\n" + meaning.input;
    }
    if (meaning.hasResponse) canonical[isAlpaca ? "output" : "response"] = meaning.response;
    return canonical;
}

}  // namespace

RenderedChat ColumnTemplate::renderPrompt(const PromptColumns& columns, std::string_view templateName) const {
    const PromptColumns values = isBuiltin ? canonicalColumns(columns, isAlpaca, templateName) : columns;
    const ColumnPattern& pattern = promptFor(values);
    requireColumns(pattern, values, templateName);
    RenderedChat out;
    pattern.append(out, values, SpanKind::Template, SpanKind::Input, 0);
    return out;
}

RenderedChat ColumnTemplate::renderRow(const PromptColumns& columns, std::string_view templateName) const {
    const PromptColumns values = isBuiltin ? canonicalColumns(columns, isAlpaca, templateName) : columns;
    RenderedChat out = renderPrompt(columns, templateName);
    requireColumns(response, values, templateName);
    response.append(out, values, SpanKind::Assistant, SpanKind::Assistant, 1);
    return out;
}

RenderedChat ColumnTemplate::renderMessages(const std::vector<ChatMessage>& messages,
                                            std::string_view templateName) const {
    if (!isBuiltin)
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("template '{}' is made of columns ({}), the row is a conversation; use a chat template, "
                        "such as 'chatml'",
                        templateName, listNames(prompt.columns()))};
    RenderedChat out;
    std::string_view expected = "user";
    for (size_t i = 0; i < messages.size(); ++i) {
        const ChatMessage& message = messages[i];
        const auto index = static_cast<int>(i);
        if (i > 0 && expected == "user") appendSpan(out, kTurnSeparator, SpanKind::Template, -1);
        if (i == 0 && message.role == "system") {
            appendSpan(out, message.content, SpanKind::Input, index);
            continue;
        }
        if (message.role != expected)
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("template '{}' takes turns of user and assistant; message {} is '{}' where '{}' "
                                    "must stand; use a chat template, such as 'chatml'",
                                    templateName, i + 1, message.role, expected)};
        PromptColumns values;
        if (expected == "user") {
            values[isAlpaca ? "instruction" : "prompt"] = message.content;
            promptFor(values).append(out, values, SpanKind::Template, SpanKind::Input, index);
        } else {
            values[isAlpaca ? "output" : "response"] = message.content;
            const SpanKind kind = message.weight == 0.0F ? SpanKind::Input : SpanKind::Assistant;
            response.append(out, values, kind, kind, index);
        }
        expected = expected == "user" ? "assistant" : "user";
    }
    return out;
}

}  // namespace wb::core
