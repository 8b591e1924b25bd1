// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/added_tokens.h"

#include "core/text/tokenizer/unicode_classes.h"
#include "core/text/utf8.h"

#include <algorithm>

namespace wb::core {
namespace {

// The last character of valid UTF-8 that is not empty, and where it begins.
std::pair<char32_t, size_t> lastCharacter(std::string_view text) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xc0U) == 0x80U) --begin;
    return {decodeUtf8(text.substr(begin)).codePoint, begin};
}

bool standsAlone(std::string_view text, ByteRange range) {
    if (range.begin > 0 && isWord(lastCharacter(text.substr(0, range.begin)).first)) return false;
    return range.end == text.size() || !isWord(decodeUtf8(text.substr(range.end)).codePoint);
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
    std::vector<std::string> contents;
    for (const AddedToken& token : m_tokens) {
        contents.push_back(token.content);
        m_firstBytes.set(static_cast<uint8_t>(token.content.front()));
    }
    m_trie = PieceTrie(contents);
}

const AddedToken* AddedTokenMatcher::longestAt(std::string_view text) const {
    const AddedToken* longest = nullptr;
    m_trie.forEachPrefix(text, [&](size_t, TokenId index) { longest = &m_tokens[static_cast<size_t>(index)]; });
    return longest;
}

std::vector<TextPiece> AddedTokenMatcher::split(std::string_view text, SpecialTokens special) const {
    std::vector<TextPiece> pieces;
    size_t plainBegin = 0;
    size_t position = 0;
    while (!m_tokens.empty() && position < text.size()) {
        const bool isPossible = m_firstBytes[static_cast<uint8_t>(text[position])];
        const AddedToken* token = isPossible ? longestAt(text.substr(position)) : nullptr;
        if (token == nullptr) {
            ++position;
            continue;
        }
        ByteRange range{position, position + token->content.size()};
        position = range.end;
        if (token->isSpecial && special == SpecialTokens::None) continue;
        if (token->isSingleWord && !standsAlone(text, range)) continue;
        if (token->stripsLeft) range.begin = std::min(withoutSpaceBefore(text, range.begin, plainBegin), range.end);
        if (token->stripsRight) range.end = withoutSpaceAfter(text, range.end);
        if (plainBegin < range.begin) pieces.push_back({{plainBegin, range.begin}, std::nullopt});
        pieces.push_back({range, token->id});
        plainBegin = range.end;
    }
    if (plainBegin < text.size()) pieces.push_back({{plainBegin, text.size()}, std::nullopt});
    return pieces;
}

}  // namespace wb::core
