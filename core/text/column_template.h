// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/prompt_template.h"

namespace wb::core {

// Text with {column} marks; "{{" and "}}" write a brace.
class ColumnPattern {
public:
    ColumnPattern() = default;
    // Throws InvalidArgument naming `what` and the byte of the mistake.
    ColumnPattern(std::string_view pattern, std::string_view what);

    // Columns in the order they first appear.
    std::vector<std::string> columns() const;

    // Appends the pattern with its columns filled in. `values` has every column (see requireColumns).
    void append(RenderedChat& out, const PromptColumns& values, SpanKind literals, SpanKind contents,
                int message) const;

private:
    struct Piece {
        std::string text;  // of a literal, or the column's name
        bool isColumn = false;
    };
    std::vector<Piece> m_pieces;
};

// Adds bytes to a rendered text; neighbours of equal meaning become one span.
void appendSpan(RenderedChat& out, std::string_view bytes, SpanKind kind, int message, bool isMarker = false);

// "'a', 'b' and 'c'"; "none" if there are none.
std::string listNames(const std::vector<std::string>& names);

// The prompt and completion of a template made of columns.
struct ColumnTemplate {
    ColumnPattern prompt;
    ColumnPattern promptWithoutInput;  // alpaca: for rows whose "input" is empty
    ColumnPattern response;
    bool isBuiltin = false;  // takes a row's columns by meaning, not by name; conversations too
    bool isAlpaca = false;

    RenderedChat renderPrompt(const PromptColumns& columns, std::string_view templateName) const;
    RenderedChat renderRow(const PromptColumns& columns, std::string_view templateName) const;
    // Turns of user and assistant, after an optional system message. Throws InvalidArgument on other roles.
    RenderedChat renderMessages(const std::vector<ChatMessage>& messages, std::string_view templateName) const;
    const ColumnPattern& promptFor(const PromptColumns& columns) const;
};

// What a row's columns mean, by their usual names.
struct RowMeaning {
    std::string prompt;
    std::string input;  // of an instruction; empty if none
    std::string response;
    bool hasPrompt = false;
    bool hasResponse = false;
};
RowMeaning readMeaning(const PromptColumns& columns);

}  // namespace wb::core
