// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

namespace wb::training {

// One id per byte and no special tokens: measures text in bytes where no model is known yet.
class ByteTokenizer : public core::Tokenizer {
public:
    int32_t vocabularySize() const override { return 256; }
    const core::SpecialIds& specialIds() const override { return m_special; }
    std::string kind() const override { return "bytes"; }
    core::Encoding encode(std::string_view text, core::SpecialTokens special) const override;
    std::string decode(std::span<const core::TokenId> ids) const override;
    std::string tokenBytes(core::TokenId id) const override;
    std::string tokenName(core::TokenId id) const override;
    std::optional<core::TokenId> findToken(std::string_view name) const override;
    bool isSpecial(core::TokenId) const override { return false; }

private:
    core::SpecialIds m_special;
};

}  // namespace wb::training
