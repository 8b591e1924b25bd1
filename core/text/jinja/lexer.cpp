// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

constexpr size_t kMaxSourceBytes = 1 << 20;
// Longest first, so that the first match is the right one.
constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                         "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                         ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool isDecimal(char c) {
    return c >= '0' && c <= '9';
}
bool isNameStart(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool isNameByte(char c) {
    return isNameStart(c) || isDecimal(c);
}
int hexValue(char c) {
    if (isDecimal(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string normalizeNewlines(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            out.push_back('\n');
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        } else {
            out.push_back(source[i]);
        }
    }
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

class Lexer {
public:
    Lexer(std::string_view source, std::string_view sourceName)
        : m_source(normalizeNewlines(source)), m_name(sourceName) {
        m_lineStarts.push_back(0);
        for (size_t i = 0; i < m_source.size(); ++i)
            if (m_source[i] == '\n') m_lineStarts.push_back(i + 1);
    }

    std::vector<Token> run() {
        while (m_position < m_source.size()) lexRoot();
        add(TokenType::End, "", m_source.size());
        return std::move(m_tokens);
    }

private:
    [[noreturn]] void failAt(size_t offset, std::string_view message) const {
        throw makeError(ErrorCode::InvalidArgument, m_name, positionOf(offset), message);
    }

    Position positionOf(size_t offset) const {
        const auto next = std::upper_bound(m_lineStarts.begin(), m_lineStarts.end(), offset);
        const auto line = next - m_lineStarts.begin();
        return {static_cast<int>(line), static_cast<int>(offset - m_lineStarts[static_cast<size_t>(line - 1)]) + 1};
    }

    std::string_view view(size_t begin, size_t end) const {
        return std::string_view{m_source}.substr(begin, end - begin);
    }
    bool startsWith(size_t offset, std::string_view text) const {
        return std::string_view{m_source}.substr(std::min(offset, m_source.size())).starts_with(text);
    }
    char at(size_t offset) const { return offset < m_source.size() ? m_source[offset] : '\0'; }

    void add(TokenType type, std::string text, size_t offset) {
        m_tokens.push_back({type, std::move(text), positionOf(offset)});
    }

    // Plain text up to the tag at `tag`, cut as the tag's sign says.
    void addData(size_t begin, size_t tag, char sign, bool isVariable) {
        size_t end = tag;
        if (sign == '-') {
            end -= trailingSpace(view(begin, tag));
        } else if (sign != '+' && !isVariable) {
            const size_t newline = view(begin, tag).rfind('\n');
            const size_t lineStart = newline == std::string_view::npos ? begin : begin + newline + 1;
            const bool isLineStart = lineStart > begin || begin == 0 || m_source[begin - 1] == '\n';
            if (isLineStart && leadingSpace(view(lineStart, tag)) == tag - lineStart) end = lineStart;
        }
        if (end > begin) add(TokenType::Data, std::string{view(begin, end)}, begin);
    }

    void lexRoot() {
        const size_t begin = m_position;
        size_t tag = begin;
        while (true) {
            tag = m_source.find('{', tag);
            if (tag == std::string::npos) {
                add(TokenType::Data, std::string{view(begin, m_source.size())}, begin);
                m_position = m_source.size();
                return;
            }
            const char kind = at(tag + 1);
            if (kind == '{' || kind == '%' || kind == '#') break;
            ++tag;
        }
        const char kind = at(tag + 1);
        const char sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? at(tag + 2) : '\0';
        addData(begin, tag, sign, kind == '{');
        m_position = tag + (sign ? 3 : 2);
        if (kind == '#') return skipComment(tag);
        if (kind == '%' && lexRaw(tag)) return;
        add(kind == '{' ? TokenType::VariableBegin : TokenType::BlockBegin, "", tag);
        lexTag(tag, kind == '{');
    }

    // Moves past the end of a tag that starts here: its sign decides which white space goes with it.
    void skipEnd(size_t offset, size_t length, char sign) {
        m_position = offset + length;
        if (sign == '-') {
            m_position += leadingSpace(view(m_position, m_source.size()));
        } else if (sign != '+' && at(m_position) == '\n') {
            ++m_position;
        }
    }

    void skipComment(size_t tag) {
        const size_t end = m_source.find("#}", m_position);
        if (end == std::string::npos) failAt(tag, "this comment is never closed with '#}'");
        const char before = end > m_position ? m_source[end - 1] : '\0';
        skipEnd(end, 2, before == '-' || before == '+' ? before : '\0');
    }

    size_t skipSpaceFrom(size_t offset) const { return offset + leadingSpace(view(offset, m_source.size())); }

    // "{% raw %}...{% endraw %}"; false if the block tag at `tag` is another one.
    bool lexRaw(size_t tag) {
        size_t offset = skipSpaceFrom(m_position);
        if (!startsWith(offset, "raw")) return false;
        offset = skipSpaceFrom(offset + 3);
        const bool strips = startsWith(offset, "-%}");
        if (!strips && !startsWith(offset, "%}")) return false;
        size_t begin = offset + (strips ? 3 : 2);
        if (strips) begin = skipSpaceFrom(begin);
        for (size_t end = m_source.find("{%", begin); end != std::string::npos; end = m_source.find("{%", end + 1)) {
            const char sign = at(end + 2) == '-' || at(end + 2) == '+' ? at(end + 2) : '\0';
            size_t name = skipSpaceFrom(end + (sign ? 3 : 2));
            if (!startsWith(name, "endraw")) continue;
            name = skipSpaceFrom(name + 6);
            const char endSign = at(name) == '-' || at(name) == '+' ? at(name) : '\0';
            if (!startsWith(name + (endSign ? 1 : 0), "%}")) continue;
            addData(begin, end, sign, false);
            skipEnd(name, endSign ? 3 : 2, endSign);
            return true;
        }
        failAt(tag, "this raw block is never closed with '{% endraw %}'");
    }

    // Tokens of an expression or statement up to its end mark.
    void lexTag(size_t tag, bool isVariable) {
        const std::string_view mark = isVariable ? "}}" : "%}";
        std::string brackets;
        while (true) {
            if (brackets.empty() && lexEnd(mark, isVariable)) return;
            if (m_position >= m_source.size()) failAt(tag, fmt::format("this tag is never closed with '{}'", mark));
            const size_t space = leadingSpace(view(m_position, m_source.size()));
            if (space > 0) {
                m_position += space;
            } else if (isDecimal(at(m_position))) {
                lexNumber();
            } else if (isNameStart(at(m_position))) {
                const size_t begin = m_position;
                while (isNameByte(at(m_position))) ++m_position;
                add(TokenType::Name, std::string{view(begin, m_position)}, begin);
            } else if (at(m_position) == '\'' || at(m_position) == '"') {
                lexString();
            } else {
                lexOperator(brackets);
            }
        }
    }

    bool lexEnd(std::string_view mark, bool isVariable) {
        const char sign = at(m_position) == '-' || (at(m_position) == '+' && !isVariable) ? at(m_position) : '\0';
        if (!startsWith(m_position + (sign ? 1 : 0), mark)) return false;
        add(isVariable ? TokenType::VariableEnd : TokenType::BlockEnd, "", m_position);
        // A new line after an expression stays; only statements and comments take it with them.
        skipEnd(m_position, sign ? 3 : 2, isVariable && sign == '\0' ? '+' : sign);
        return true;
    }

    void lexOperator(std::string& brackets) {
        for (const std::string_view op : kOperators) {
            if (!startsWith(m_position, op)) continue;
            if (op == "(" || op == "[" || op == "{") {
                brackets.push_back(op == "(" ? ')' : op == "[" ? ']' : '}');
            } else if (op == ")" || op == "]" || op == "}") {
                if (brackets.empty()) failAt(m_position, fmt::format("'{}' closes nothing", op));
                if (brackets.back() != op[0])
                    failAt(m_position, fmt::format("'{}' found where '{}' must come first", op, brackets.back()));
                brackets.pop_back();
            }
            add(TokenType::Operator, std::string{op}, m_position);
            m_position += op.size();
            return;
        }
        failAt(m_position, fmt::format("unexpected character '{}'", at(m_position)));
    }

    // Digits with single underscores between them; the underscores are left out of `out`.
    void takeDigits(std::string& out) {
        while (isDecimal(at(m_position)) || (at(m_position) == '_' && isDecimal(at(m_position + 1)))) {
            if (at(m_position) != '_') out.push_back(at(m_position));
            ++m_position;
        }
    }

    void lexNumber() {
        const size_t begin = m_position;
        std::string digits;
        takeDigits(digits);
        bool isFloat = false;
        const bool followsDot = begin > 0 && m_source[begin - 1] == '.';
        if (!followsDot && at(m_position) == '.' && isDecimal(at(m_position + 1))) {
            isFloat = true;
            digits.push_back('.');
            ++m_position;
            takeDigits(digits);
        }
        const size_t exponent = at(m_position + 1) == '+' || at(m_position + 1) == '-' ? 2 : 1;
        if (!followsDot && (at(m_position) | 0x20) == 'e' && isDecimal(at(m_position + exponent))) {
            isFloat = true;
            digits.append(m_source, m_position, exponent);
            m_position += exponent;
            takeDigits(digits);
        }
        if (!isFloat && digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos)
            failAt(begin, "a number must not start with 0");
        if (isNameStart(at(m_position))) failAt(begin, "a number must not run into a name");
        add(isFloat ? TokenType::Float : TokenType::Integer, std::move(digits), begin);
    }

    void lexString() {
        const size_t begin = m_position;
        const char quote = m_source[m_position++];
        std::string text;
        while (true) {
            if (m_position >= m_source.size()) failAt(begin, "this text is never closed");
            const char c = m_source[m_position++];
            if (c == quote) break;
            if (c == '\\') {
                lexEscape(text);
            } else {
                text.push_back(c);
            }
        }
        add(TokenType::String, std::move(text), begin);
    }

    void lexEscape(std::string& out) {
        const size_t begin = m_position - 1;
        if (m_position >= m_source.size()) return;
        const char c = m_source[m_position++];
        constexpr std::string_view kNames = "nrtabfv\\'\"";
        constexpr std::string_view kValues = "\n\r\t\a\b\f\v\\'\"";
        if (const size_t index = kNames.find(c); index != std::string_view::npos) {
            out.push_back(kValues[index]);
        } else if (c == 'x' || c == 'u' || c == 'U') {
            out += hexEscape(begin, c == 'x' ? 2 : c == 'u' ? 4 : 8);
        } else if (c >= '0' && c <= '7') {
            uint32_t value = static_cast<uint32_t>(c - '0');
            for (int i = 0; i < 2 && at(m_position) >= '0' && at(m_position) <= '7'; ++i)
                value = value * 8 + static_cast<uint32_t>(m_source[m_position++] - '0');
            appendUtf8(out, value);
        } else if (c == 'N') {
            failAt(begin, "characters by name (\\N{...}) are not supported; write \\u and the number");
        } else if (c != '\n') {
            out.push_back('\\');
            out.push_back(c);
        }
    }

    std::string hexEscape(size_t begin, int digits) {
        uint32_t value = 0;
        for (int i = 0; i < digits; ++i) {
            const int digit = hexValue(at(m_position));
            if (digit < 0) failAt(begin, fmt::format("\\{} needs {} hexadecimal digits", m_source[begin + 1], digits));
            value = value * 16 + static_cast<uint32_t>(digit);
            ++m_position;
        }
        if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
            failAt(begin, "this escape is not a Unicode character");
        std::string out;
        appendUtf8(out, value);
        return out;
    }

    std::string m_source;
    std::string_view m_name;
    std::vector<size_t> m_lineStarts;
    std::vector<Token> m_tokens;
    size_t m_position = 0;
};

}  // namespace

Error makeError(ErrorCode code, std::string_view sourceName, Position at, std::string_view message) {
    return Error{code, fmt::format("{}:{}:{}: {}", sourceName, at.line, at.column, message)};
}

std::vector<Token> tokenize(std::string_view source, std::string_view sourceName) {
    if (source.size() > kMaxSourceBytes)
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: the template has {} bytes, the limit is {}",
                                                            sourceName, source.size(), kMaxSourceBytes)};
    return Lexer{source, sourceName}.run();
}

}  // namespace wb::core::jinja
