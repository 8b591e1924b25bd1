// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/models/word_piece_model.h"

#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>

namespace wb::core {
namespace {

bool isContinuation(char byte) {
    return (static_cast<uint8_t>(byte) & 0xc0U) == 0x80U;
}

size_t numCharacters(std::string_view text) {
    return text.size() - static_cast<size_t>(std::ranges::count_if(text, isContinuation));
}

}  // namespace

WordPieceModel::WordPieceModel(const std::vector<std::string>& tokens, WordPieceSettings settings)
    : m_settings(std::move(settings)), m_first(tokens.size()), m_continuing(tokens.size() / 4) {
    for (size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].empty()) continue;
        const std::string_view token = tokens[i];
        m_first.insert(token, static_cast<TokenId>(i));
        if (token.starts_with(m_settings.continuingPrefix))
            m_continuing.insert(token.substr(m_settings.continuingPrefix.size()), static_cast<TokenId>(i));
    }
}

void WordPieceModel::encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const {
    const size_t first = tokens.size();
    const auto giveUp = [&] {
        tokens.resize(first);
        tokens.push_back({m_settings.unkId, {offset, offset + word.size()}});
    };
    if (word.size() > m_settings.maxWordCharacters && numCharacters(word) > m_settings.maxWordCharacters)
        return giveUp();
    for (size_t begin = 0; begin < word.size();) {
        const TokenTable& table = begin == 0 ? m_first : m_continuing;
        size_t end = std::min(word.size(), begin + table.longestName());
        TokenId id = TokenTable::kNone;
        for (; end > begin; --end) {
            if (end < word.size() && isContinuation(word[end])) continue;
            id = table.find(word.substr(begin, end - begin));
            if (id != TokenTable::kNone) break;
        }
        if (id == TokenTable::kNone) return giveUp();
        tokens.push_back({id, {offset + begin, offset + end}});
        begin = end;
    }
}

WordLevelModel::WordLevelModel(const std::vector<std::string>& tokens, std::optional<TokenId> unkId,
                               std::string_view sourceName)
    : m_ids(tokens.size()), m_unkId(unkId), m_sourceName(sourceName) {
    for (size_t i = 0; i < tokens.size(); ++i) {
        if (!tokens[i].empty()) m_ids.insert(tokens[i], static_cast<TokenId>(i));
    }
}

void WordLevelModel::encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const {
    TokenId id = m_ids.find(word);
    if (id == TokenTable::kNone) {
        if (!m_unkId) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("{}: '{}' is no token, and the vocabulary has no unknown token", m_sourceName,
                                    word.substr(0, 100))};
        }
        id = *m_unkId;
    }
    tokens.push_back({id, {offset, offset + word.size()}});
}

}  // namespace wb::core
