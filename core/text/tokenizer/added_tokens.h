// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <array>
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

// Finds added tokens in a text: at each position the longest, from left to right.
class AddedTokenMatcher {
public:
    AddedTokenMatcher() = default;
    // Tokens with empty content are never found.
    explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

    // The pieces in order; together they cover the text. With SpecialTokens::None special tokens are passed over.
    std::vector<TextPiece> split(std::string_view text, SpecialTokens special) const;

    bool isEmpty() const { return m_tokens.empty(); }

private:
    const AddedToken* longestAt(std::string_view text) const;

    std::vector<AddedToken> m_tokens;
    std::array<std::vector<size_t>, 256> m_byFirstByte;  // indices into m_tokens, longest content first
};

}  // namespace wb::core
