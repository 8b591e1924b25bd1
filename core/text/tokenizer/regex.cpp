// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/text/tokenizer/regex.h"

#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <pcre2.h>
#include <array>

namespace wb::core {
namespace {

std::string messageOf(int code) {
    std::array<unsigned char, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

struct MatchData {
    explicit MatchData(const pcre2_code* code) : data(pcre2_match_data_create_from_pattern(code, nullptr)) {}
    MatchData(const MatchData&) = delete;
    MatchData& operator=(const MatchData&) = delete;
    ~MatchData() { pcre2_match_data_free(data); }

    pcre2_match_data* data;
};

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
    // Written for Oniguruma, "&&" inside brackets means intersection; here it would silently mean two ampersands.
    if (pattern.find("&&") != std::string_view::npos) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: pattern '{}' intersects character classes", sourceName, pattern)};
    }
    int status = 0;
    size_t position = 0;
    m_code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                                 &status, &position, nullptr);
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
    const MatchData match(m_code->code);
    const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    std::vector<ByteRange> ranges;
    size_t position = 0;
    while (position < text.size()) {
        int status =
            pcre2_match(m_code->code, subject, text.size(), position, PCRE2_NO_UTF_CHECK, match.data, m_code->limits);
        if (status == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its stack on the heap
            status = pcre2_match(m_code->code, subject, text.size(), position, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                                 match.data, m_code->limits);
        }
        if (status == PCRE2_ERROR_NOMATCH) break;
        if (status < 0) {
            throw Error{ErrorCode::InvalidArgument, fmt::format("pattern '{}' failed on a text of {} bytes: {}",
                                                                m_code->pattern, text.size(), messageOf(status))};
        }
        const size_t* bounds = pcre2_get_ovector_pointer(match.data);
        if (bounds[1] > bounds[0]) {
            ranges.push_back({bounds[0], bounds[1]});
            position = bounds[1];
        } else {  // an empty match; \K may even put its begin behind its end
            position = std::max(position, bounds[1]);
            if (position < text.size()) position += decodeUtf8(text.substr(position)).bytes;
        }
    }
    return ranges;
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
