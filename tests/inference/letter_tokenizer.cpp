// SPDX-License-Identifier: Apache-2.0
#include "tests/inference/letter_tokenizer.h"

namespace wb::test {

core::Encoding LetterTokenizer::encode(std::string_view text, core::SpecialTokens /*special*/) const {
    core::Encoding encoding;
    for (size_t i = 0; i < text.size(); ++i) {
        encoding.ids.push_back(text[i] - 'a');
        encoding.offsets.push_back({i, i + 1});
    }
    return encoding;
}

std::string LetterTokenizer::tokenBytes(core::TokenId id) const {
    return std::string(1, static_cast<char>('a' + id));
}

std::optional<core::TokenId> LetterTokenizer::findToken(std::string_view name) const {
    if (name.size() != 1 || name[0] < 'a' || name[0] >= 'a' + m_size) return std::nullopt;
    return name[0] - 'a';
}

}  // namespace wb::test
