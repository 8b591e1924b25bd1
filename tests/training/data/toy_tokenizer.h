// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"

namespace wb::training::testing {

// Bytes, a few words that merge across spaces, and the special tokens of a chat model. Longest match first, so that
// what stands before a text changes its ids as it does for real tokenizers.
class ToyTokenizer : public core::Tokenizer {
public:
    enum class Prefix { None, Space };

    explicit ToyTokenizer(Prefix prefix = Prefix::None) : m_prefix(prefix) {
        for (int byte = 0; byte < 256; ++byte) m_tokens.emplace_back(1, static_cast<char>(byte));
        m_firstSpecial = static_cast<core::TokenId>(m_tokens.size());
        for (const char* special : {"<s>", "</s>", "<|im_start|>", "<|im_end|>"}) m_tokens.emplace_back(special);
        m_lastSpecial = static_cast<core::TokenId>(m_tokens.size()) - 1;
        for (const char* word : {" hello", "hello", " world", "world", "\nhello", ":\n", " a"})
            m_tokens.emplace_back(word);
        m_special.bos = m_firstSpecial;
        m_special.eos = m_firstSpecial + 1;
        m_special.addBos = true;
    }

    int32_t vocabularySize() const override { return static_cast<int32_t>(m_tokens.size()); }
    const core::SpecialIds& specialIds() const override { return m_special; }
    std::string kind() const override { return "toy"; }
    core::Encoding encode(std::string_view text, core::SpecialTokens special) const override {
        const size_t added = m_prefix == Prefix::Space && !text.empty() ? 1 : 0;
        std::string input(added, ' ');
        input += text;
        core::Encoding encoding;
        for (size_t position = 0; position < input.size();) {
            core::TokenId best = static_cast<unsigned char>(input[position]);
            for (core::TokenId id = m_firstSpecial; id < vocabularySize(); ++id) {
                const std::string& token = m_tokens[static_cast<size_t>(id)];
                if (isSpecial(id) && special == core::SpecialTokens::None) continue;
                if (input.compare(position, token.size(), token) != 0) continue;
                if (token.size() > m_tokens[static_cast<size_t>(best)].size()) best = id;
            }
            const size_t end = position + m_tokens[static_cast<size_t>(best)].size();
            encoding.ids.push_back(best);
            encoding.offsets.push_back({position - std::min(position, added), end - added});
            position = end;
        }
        return encoding;
    }
    std::string decode(std::span<const core::TokenId> ids) const override {
        std::string text;
        for (const core::TokenId id : ids)
            if (!isSpecial(id)) text += tokenBytes(id);
        return text;
    }
    std::string tokenBytes(core::TokenId id) const override { return m_tokens.at(static_cast<size_t>(id)); }
    std::string tokenName(core::TokenId id) const override { return tokenBytes(id); }
    std::optional<core::TokenId> findToken(std::string_view name) const override {
        const auto found = std::find(m_tokens.begin(), m_tokens.end(), name);
        if (found == m_tokens.end()) return std::nullopt;
        return static_cast<core::TokenId>(found - m_tokens.begin());
    }
    bool isSpecial(core::TokenId id) const override { return id >= m_firstSpecial && id <= m_lastSpecial; }

private:
    Prefix m_prefix;
    std::vector<std::string> m_tokens;
    core::SpecialIds m_special;
    core::TokenId m_firstSpecial = 0;
    core::TokenId m_lastSpecial = 0;
};

}  // namespace wb::training::testing
