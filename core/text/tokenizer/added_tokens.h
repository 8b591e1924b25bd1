// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/models/piece_trie.h"

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// A token that is cut out of the text before the model sees it.
struct AddedToken {
    TokenId id = 0;
    std::string content;
    bool isSpecial = false;
    bool isNormalized = false;  // looked for in the normalised text, by its normalised content
    bool isSingleWord = false;  // only where no letter, digit or underscore touches it
    bool stripsLeft = false;    // swallows the white space in front of it
    bool stripsRight = false;

    bool operator==(const AddedToken&) const = default;
};

// A piece of a text: an added token, or plain text between two.
struct TextPiece {
    ByteRange range;
    std::optional<TokenId> token;
};

// Finds added tokens in a text: at each position the longest, from left to right. The search goes on where a token's
// own text ends, even if it swallowed white space behind it; that may then be a token once more, as in the reference.
class AddedTokenMatcher {
public:
    AddedTokenMatcher() = default;
    // Tokens with empty content are never found.
    explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

    // The pieces in order; together they cover the text, and overlap only in swallowed white space. With
    // SpecialTokens::None special tokens are passed over.
    std::vector<TextPiece> split(std::string_view text, SpecialTokens special) const;

    bool isEmpty() const { return m_tokens.empty(); }

private:
    const AddedToken* longestAt(std::string_view text) const;

    std::vector<AddedToken> m_tokens;
    PieceTrie m_trie;               // of their contents
    std::bitset<256> m_firstBytes;  // of their contents
};

}  // namespace wb::core
