// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer/models/token_model.h"
#include "core/text/tokenizer/models/token_table.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

struct WordPieceSettings {
    TokenId unkId = 0;
    std::string continuingPrefix = "##";
    size_t maxWordCharacters = 100;  // longer words are unknown
};

// WordPiece: the longest token a word begins with, then the longest continuing one, and so on. A word with a rest that
// no token begins is unknown as a whole.
class WordPieceModel : public TokenModel {
public:
    WordPieceModel(const std::vector<std::string>& tokens, WordPieceSettings settings);
    void encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const override;

private:
    WordPieceSettings m_settings;
    TokenTable m_first;       // tokens a word may begin with
    TokenTable m_continuing;  // the others, without their prefix
};

// Each word is a token, or unknown. Without an unknown token such a word is refused with InvalidArgument.
class WordLevelModel : public TokenModel {
public:
    WordLevelModel(const std::vector<std::string>& tokens, std::optional<TokenId> unkId, std::string_view sourceName);
    void encode(std::string_view word, size_t offset, std::vector<ModelToken>& tokens) const override;

private:
    TokenTable m_ids;
    std::optional<TokenId> m_unkId;
    std::string m_sourceName;
};

}  // namespace wb::core
