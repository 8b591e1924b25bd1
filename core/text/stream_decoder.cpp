// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer.h"

namespace wb::core {

std::vector<TokenId> encodePrompt(const Tokenizer& tokenizer, std::string_view text, SpecialTokens special) {
    std::vector<TokenId> ids = tokenizer.encode(text, special).ids;
    const SpecialIds& roles = tokenizer.specialIds();
    if (roles.addBos && roles.bos && (ids.empty() || ids.front() != *roles.bos)) ids.insert(ids.begin(), *roles.bos);
    return ids;
}

}  // namespace wb::core
