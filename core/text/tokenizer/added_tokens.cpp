// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/added_tokens.h"

#include "core/text/utf8.h"

#include <unicode/uchar.h>
#include <algorithm>

namespace wb::core {
namespace {

bool isWordCharacter(char32_t c) {
    return u_isalnum(static_cast<UChar32>(c)) != 0 || c == U'_';
}

bool isWhiteSpace(char32_t c) {
    return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_WHITE_SPACE) != 0;
}

// The last character of valid UTF-8 that is not empty, and where it begins.
std::pair<char32_t, size_t> lastCharacter(std::string_view text) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xc0U) == 0x80U) --begin;
    return {decodeUtf8(text.substr(begin)).codePoint, begin};
}

bool standsAlone(std::string_view text, ByteRange range) {
    if (range.begin > 0 && isWordCharacter(lastCharacter(text.substr(0, range.begin)).first)) return false;
    return range.end == text.size() || !isWordCharacter(decodeUtf8(text.substr(range.end)).codePoint);
}

size_t withoutSpaceBefore(std::string_view text, size_t position, size_t limit) {
    while (position > limit) {
        const auto [c, begin] = lastCharacter(text.substr(0, position));
        if (!isWhiteSpace(c) || begin < limit) break;
        position = begin;
    }
    return position;
}

size_t withoutSpaceAfter(std::string_view text, size_t position) {
    while (position < text.size()) {
        const Utf8Step step = decodeUtf8(text.substr(position));
        if (!isWhiteSpace(step.codePoint)) break;
        position += step.bytes;
    }
    return position;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : m_tokens(std::move(tokens)) {
    std::erase_if(m_tokens, [](const AddedToken& token) { return token.content.empty(); });
    std::ranges::stable_sort(m_tokens, std::greater{}, [](const AddedToken& token) { return token.content.size(); });
    for (size_t i = 0; i < m_tokens.size(); ++i) {
        m_byFirstByte[static_cast<uint8_t>(m_tokens[i].content.front())].push_back(i);
    }
}

const AddedToken* AddedTokenMatcher::longestAt(std::string_view text) const {
    for (const size_t index : m_byFirstByte[static_cast<uint8_t>(text.front())]) {
        if (text.starts_with(m_tokens[index].content)) return &m_tokens[index];
    }
    return nullptr;
}

std::vector<TextPiece> AddedTokenMatcher::split(std::string_view text, SpecialTokens special) const {
    std::vector<TextPiece> pieces;
    size_t plainBegin = 0;
    size_t position = 0;
    while (!m_tokens.empty() && position < text.size()) {
        const AddedToken* token = longestAt(text.substr(position));
        if (token == nullptr) {
            ++position;
            continue;
        }
        ByteRange range{position, position + token->content.size()};
        position = range.end;
        if (token->isSpecial && special == SpecialTokens::None) continue;
        if (token->isSingleWord && !standsAlone(text, range)) continue;
        if (token->stripsLeft) range.begin = withoutSpaceBefore(text, range.begin, plainBegin);
        if (token->stripsRight) range.end = withoutSpaceAfter(text, range.end);
        if (plainBegin < range.begin) pieces.push_back({{plainBegin, range.begin}, std::nullopt});
        pieces.push_back({range, token->id});
        plainBegin = position = range.end;
    }
    if (plainBegin < text.size()) pieces.push_back({{plainBegin, text.size()}, std::nullopt});
    return pieces;
}

}  // namespace wb::core
