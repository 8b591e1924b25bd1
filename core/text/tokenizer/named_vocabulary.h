// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/models/token_table.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// The names of all ids, and which of them are special.
class NamedVocabulary {
public:
    // Names by id; empty where nothing has the id. Of equal names the first counts.
    NamedVocabulary(std::vector<std::string> names, std::string_view sourceName);

    int32_t size() const { return static_cast<int32_t>(m_names.size()); }
    const std::vector<std::string>& names() const { return m_names; }
    // Throw InvalidArgument for an id outside the vocabulary.
    const std::string& nameOf(TokenId id) const;
    bool isSpecial(TokenId id) const;
    std::optional<TokenId> find(std::string_view name) const;

    void makeSpecial(TokenId id);
    // The id is found by its old name as well.
    void rename(TokenId id, const std::string& name);

private:
    size_t indexOf(TokenId id) const;

    std::string m_sourceName;
    std::vector<std::string> m_names;
    std::vector<bool> m_isSpecial;
    TokenTable m_ids;
};

}  // namespace wb::core
