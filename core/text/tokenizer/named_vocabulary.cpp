// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/named_vocabulary.h"

#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb::core {

NamedVocabulary::NamedVocabulary(std::vector<std::string> names, std::string_view sourceName)
    : m_sourceName(sourceName), m_names(std::move(names)), m_isSpecial(m_names.size(), false), m_ids(m_names.size()) {
    for (size_t id = m_names.size(); id-- > 0;) {
        if (!m_names[id].empty()) m_ids.insert(m_names[id], static_cast<TokenId>(id));
    }
}

size_t NamedVocabulary::indexOf(TokenId id) const {
    if (id >= 0 && id < size()) return static_cast<size_t>(id);
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("{}: token id {} lies outside the vocabulary of {}", m_sourceName, id, size())};
}

const std::string& NamedVocabulary::nameOf(TokenId id) const {
    return m_names[indexOf(id)];
}

bool NamedVocabulary::isSpecial(TokenId id) const {
    return m_isSpecial[indexOf(id)];
}

std::optional<TokenId> NamedVocabulary::find(std::string_view name) const {
    const TokenId id = m_ids.find(name);
    return id == TokenTable::kNone ? std::nullopt : std::optional(id);
}

void NamedVocabulary::makeSpecial(TokenId id) {
    m_isSpecial[indexOf(id)] = true;
}

void NamedVocabulary::rename(TokenId id, const std::string& name) {
    m_names[indexOf(id)] = name;
    if (!name.empty() && !find(name)) m_ids.insert(name, id);
}

}  // namespace wb::core
