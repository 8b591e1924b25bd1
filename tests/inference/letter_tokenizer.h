// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

namespace wb::test {

// Ids are letters: id 3 is "d". Enough of a tokenizer for tests of generation, where text plays no part but must exist.
class LetterTokenizer final : public core::Tokenizer {
public:
    explicit LetterTokenizer(int32_t size) : m_size(size) {}

    int32_t vocabularySize() const override { return m_size; }
    const core::SpecialIds& specialIds() const override { return m_ids; }
    std::string kind() const override { return "letters"; }
    core::Encoding encode(std::string_view text, core::SpecialTokens special) const override;
    std::string tokenBytes(core::TokenId id) const override;
    std::string tokenName(core::TokenId id) const override { return tokenBytes(id); }
    std::optional<core::TokenId> findToken(std::string_view name) const override;
    bool isSpecial(core::TokenId /*id*/) const override { return false; }

private:
    int32_t m_size;
    core::SpecialIds m_ids;
};

}  // namespace wb::test
