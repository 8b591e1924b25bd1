// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/lexer.h"

namespace wb::core::jinja {

// A cursor over the tokens of a template, with the errors of a parser.
class TokenStream {
public:
    TokenStream(std::vector<Token> tokens, std::string_view sourceName)
        : m_tokens(std::move(tokens)), m_sourceName(sourceName) {}

    const Token& current() const { return m_tokens[m_index]; }
    const Token& next() const { return m_tokens[std::min(m_index + 1, m_tokens.size() - 1)]; }
    Token take() {
        Token token = m_tokens[m_index];
        if (m_index + 1 < m_tokens.size()) ++m_index;
        return token;
    }

    bool is(TokenType type) const { return current().type == type; }
    bool isOperator(std::string_view text) const { return is(TokenType::Operator) && current().text == text; }
    bool isName(std::string_view text) const { return is(TokenType::Name) && current().text == text; }

    bool skipOperator(std::string_view text) {
        const bool found = isOperator(text);
        if (found) take();
        return found;
    }
    bool skipName(std::string_view text) {
        const bool found = isName(text);
        if (found) take();
        return found;
    }

    void expectOperator(std::string_view text) {
        if (!skipOperator(text)) failHere(fmt::format("expected '{}', found {}", text, describe(current())));
    }
    void expectType(TokenType type) {
        if (!is(type)) failHere(fmt::format("expected {}, found {}", describe({type, "", {}}), describe(current())));
        take();
    }
    std::string expectName() {
        if (!is(TokenType::Name)) failHere(fmt::format("expected a name, found {}", describe(current())));
        return take().text;
    }

    [[noreturn]] void failHere(std::string_view message) const { failAt(current().at, message); }
    [[noreturn]] void failAt(Position at, std::string_view message, ErrorCode code = ErrorCode::InvalidArgument) const {
        throw makeError(code, m_sourceName, at, message);
    }

    static std::string describe(const Token& token) {
        switch (token.type) {
            case TokenType::Data: return "text outside of tags";
            case TokenType::VariableBegin: return "'{{'";
            case TokenType::VariableEnd: return "'}}'";
            case TokenType::BlockBegin: return "'{%'";
            case TokenType::BlockEnd: return "'%}'";
            case TokenType::End: return "the end of the template";
            default: return fmt::format("'{}'", token.text);
        }
    }

private:
    std::vector<Token> m_tokens;
    std::string m_sourceName;
    size_t m_index = 0;
};

}  // namespace wb::core::jinja
