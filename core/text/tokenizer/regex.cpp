// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/text/tokenizer/regex.h"

#include "core/text/tokenizer/unicode_additions.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <pcre2.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

std::string messageOf(int code) {
    std::array<unsigned char, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

struct MatchData {
    MatchData() : data(pcre2_match_data_create(1, nullptr)) {}
    MatchData(const MatchData&) = delete;
    MatchData& operator=(const MatchData&) = delete;
    ~MatchData() { pcre2_match_data_free(data); }

    pcre2_match_data* data;
};

// Words are short: making this anew for each would cost more than the match.
pcre2_match_data* scratch() {
    static thread_local MatchData match;
    return match.data;
}

constexpr std::string_view kSpaces =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// A category as the inside of a bracket: ASCII first, which is looked up in a table, then the property, then what is
// newer than the library. Empty for names that need no such help.
std::string bracketOfCategory(std::string_view category) {
    constexpr std::array<std::string_view, 11> kKnown{"L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd", "P", "S"};
    if (std::ranges::find(kKnown, category) == kKnown.end()) return {};
    const std::string_view ascii = category == "L"                       ? "A-Za-z"
                                   : category == "Lu"                    ? "A-Z"
                                   : category == "Ll"                    ? "a-z"
                                   : category == "N" || category == "Nd" ? "0-9"
                                                                         : "";
    return fmt::format("{}\\p{{{}}}{}", ascii, category, addedRanges(category));
}

// How Oniguruma understands the short names of classes, as the inside of a bracket.
std::string bracketOfEscape(char letter) {
    switch (letter) {
        case 's': return std::string(kSpaces);
        case 'd': return bracketOfCategory("Nd");
        case 'h': return "0-9A-Fa-f";
        case 'w':
            return fmt::format(R"(A-Za-z0-9_\p{{Alphabetic}}\p{{M}}\p{{Nd}}\p{{Pc}}\xb2\xb3\xb9\xbc-\xbe{}{}{})",
                               addedRanges("L"), addedRanges("M"), addedRanges("Nd"));
        default: return {};
    }
}

// Rewrites the escapes on which the two dialects, or the versions of their tables, differ.
class Translation {
public:
    explicit Translation(std::string_view pattern) : m_rest(pattern) {
        while (!m_rest.empty()) takeNext();
    }
    std::string take() { return std::move(m_result); }

private:
    void takeNext() {
        if (m_rest.front() == '\\' && m_rest.size() > 1) return takeEscape();
        if (m_rest.front() == '[') return takeBracket();
        if (m_rest.front() == ']') m_isInBrackets = false;
        copy(1);
    }

    void copy(size_t count) {
        m_result += m_rest.substr(0, count);
        m_rest.remove_prefix(std::min(count, m_rest.size()));
    }

    // Puts a class in the place of the next `count` bytes.
    void put(const std::string& bracket, size_t count, bool isNegated = false) {
        m_result += m_isInBrackets ? bracket : (isNegated ? "[^" : "[") + bracket + "]";
        m_rest.remove_prefix(count);
    }

    void takeEscape() {
        const char letter = m_rest[1];
        if (letter == 'p') {
            const size_t end = m_rest.find('}');
            const bool hasBraces = m_rest.size() > 2 && m_rest[2] == '{' && end != std::string_view::npos;
            const std::string_view category = hasBraces ? m_rest.substr(3, end - 3) : m_rest.substr(2, 1);
            const std::string bracket = bracketOfCategory(category);
            return bracket.empty() ? copy(2) : put(bracket, hasBraces ? end + 1 : 3);
        }
        const std::string bracket = bracketOfEscape(letter);
        if (!bracket.empty()) return put(bracket, 2);
        const bool isNegated = letter == 'S' || letter == 'W' || letter == 'D' || letter == 'H';
        if (isNegated && !m_isInBrackets) return put(bracketOfEscape(static_cast<char>(letter + ('a' - 'A'))), 2, true);
        copy(2);
    }

    void takeBracket() {
        if (m_isInBrackets) {
            const size_t end = m_rest.starts_with("[:") ? m_rest.find(":]") : std::string_view::npos;
            return copy(end == std::string_view::npos ? 1 : end + 2);
        }
        m_isInBrackets = true;
        size_t count = 1;
        if (m_rest.substr(count).starts_with('^')) ++count;
        if (m_rest.substr(count).starts_with(']')) ++count;  // as the first member it does not close
        copy(count);
    }

    std::string_view m_rest;
    std::string m_result;
    bool m_isInBrackets = false;
};

// What one dialect reads otherwise than the other and is not rewritten.
void refuseDifferences(std::string_view pattern, std::string_view sourceName) {
    struct Construct {
        std::string_view text;
        std::string_view meaning;
    };
    constexpr std::array kConstructs{
        Construct{"&&", "intersects character classes"},
        Construct{"}+", "repeats an interval, which other engines take as possessive"},
        Construct{"(?m", "has the option 'm', which is not the same everywhere"},
    };
    for (const Construct& construct : kConstructs) {
        const size_t found = pattern.find(construct.text);
        if (found == std::string_view::npos) continue;
        // "\p{L}+" ends with the same bytes as an interval does.
        const size_t open = construct.text == "}+" ? pattern.rfind('{', found) : std::string_view::npos;
        const bool isProperty = open != std::string_view::npos && open >= 1 && (pattern[open - 1] | 0x20) == 'p';
        if (isProperty) continue;
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: pattern '{}' {}", sourceName, replaceInvalidUtf8(pattern), construct.meaning)};
    }
}

}  // namespace

struct Regex::Code {
    Code() : limits(pcre2_match_context_create(nullptr)) {
        // A pattern comes from a file: one that backtracks without end must not hang the program.
        constexpr uint32_t kMaxSteps = 20'000'000;
        pcre2_set_match_limit(limits, kMaxSteps);
    }
    Code(const Code&) = delete;
    Code& operator=(const Code&) = delete;
    ~Code() {
        pcre2_code_free(code);
        pcre2_match_context_free(limits);
    }

    pcre2_code* code = nullptr;
    pcre2_match_context* limits;
    std::string pattern;
};

Regex::Regex(std::string_view pattern, std::string_view sourceName) : m_code(std::make_unique<Code>()) {
    m_code->pattern = pattern;
    refuseDifferences(pattern, sourceName);
    int status = 0;
    size_t position = 0;
    const std::string text = Translation(pattern).take();
    m_code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &status, &position, nullptr);
    if (m_code->code == nullptr) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: pattern '{}' is not understood at position {}: {}", sourceName,
                                replaceInvalidUtf8(pattern), position, messageOf(status))};
    }
    pcre2_jit_compile(m_code->code, PCRE2_JIT_COMPLETE);  // where it fails, matching is slower and just as right
}

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

std::vector<ByteRange> Regex::findAll(std::string_view text) const {
    std::vector<ByteRange> matches;
    findAll(text, matches);
    return matches;
}

void Regex::findAll(std::string_view text, std::vector<ByteRange>& matches) const {
    pcre2_match_data* const match = scratch();
    const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    const size_t* bounds = pcre2_get_ovector_pointer(match);
    size_t position = 0;
    while (position < text.size()) {
        int status =
            pcre2_match(m_code->code, subject, text.size(), position, PCRE2_NO_UTF_CHECK, match, m_code->limits);
        if (status == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its stack on the heap
            status = pcre2_match(m_code->code, subject, text.size(), position, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match,
                                 m_code->limits);
        }
        if (status == PCRE2_ERROR_NOMATCH) break;
        if (status < 0) {
            throw Error{ErrorCode::InvalidArgument, fmt::format("pattern '{}' failed on a text of {} bytes: {}",
                                                                m_code->pattern, text.size(), messageOf(status))};
        }
        if (bounds[1] > bounds[0]) {
            matches.push_back({bounds[0], bounds[1]});
            position = bounds[1];
        } else {  // an empty match; \K may even put its begin behind its end
            position = std::max(position, bounds[1]);
            if (position < text.size()) position += decodeUtf8(text.substr(position)).bytes;
        }
    }
}

std::string Regex::escape(std::string_view text) {
    std::string pattern;
    for (const char c : text) {
        const bool isPlain = static_cast<uint8_t>(c) >= 0x80 || std::isalnum(static_cast<unsigned char>(c)) != 0;
        if (!isPlain) pattern += '\\';
        pattern += c;
    }
    return pattern;
}

}  // namespace wb::core
