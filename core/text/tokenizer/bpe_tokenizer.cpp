// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/bpe_tokenizer.h"

#include "core/text/tokenizer/byte_alphabet.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <unordered_map>

namespace wb::core {
namespace {

class BpeTokenizer : public Tokenizer {
public:
    BpeTokenizer(BpeDefinition definition, std::string_view sourceName)
        : m_sourceName(sourceName),
          m_definition(std::move(definition)),
          m_model(m_definition.vocabulary, sourceName),
          m_isSpecial(m_definition.vocabulary.tokens.size(), false) {
        // The merges are in the model now; twice they would only take memory.
        m_definition.vocabulary.merges = {};
        std::vector<AddedToken> raw;
        std::vector<AddedToken> normalized;
        for (AddedToken& token : m_definition.addedTokens) {
            if (token.isSpecial) m_isSpecial[static_cast<size_t>(token.id)] = true;
            if (token.isNormalized)
                token.content = normalize(m_definition.normalizer, AlignedText(token.content, 0)).text();
            (token.isNormalized ? normalized : raw).push_back(token);
        }
        m_rawMatcher = AddedTokenMatcher(std::move(raw));
        m_normalizedMatcher = AddedTokenMatcher(std::move(normalized));
        const auto& tokens = m_definition.vocabulary.tokens;
        m_ids.reserve(tokens.size());
        for (size_t id = 0; id < tokens.size(); ++id) {
            if (!tokens[id].empty()) m_ids.emplace(tokens[id], static_cast<TokenId>(id));
        }
    }

    int32_t vocabularySize() const override { return static_cast<int32_t>(m_isSpecial.size()); }
    const SpecialIds& specialIds() const override { return m_definition.roles; }
    std::string kind() const override { return m_definition.vocabulary.isByteLevel ? "bpe-byte-level" : "bpe"; }
    DecodeRules decodeRules() const override { return m_definition.decodeRules; }

    Encoding encode(std::string_view text, SpecialTokens special) const override {
        constexpr size_t kMaxBytes = size_t{1} << 30;  // positions are 32-bit inside
        if (text.size() > kMaxBytes) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("a text of {} bytes is too long to encode in one piece", text.size())};
        }
        const std::string repaired = isValidUtf8(text) ? std::string() : replaceInvalidUtf8(text);
        const std::string_view input = repaired.empty() ? text : std::string_view(repaired);
        Encoding encoding;
        for (const TextPiece& piece : m_rawMatcher.split(input, special)) {
            if (piece.token) {
                encoding.ids.push_back(*piece.token);
                encoding.offsets.push_back(piece.range);
            } else {
                const auto content = input.substr(piece.range.begin, piece.range.end - piece.range.begin);
                encodeNormalized(normalize(m_definition.normalizer, AlignedText(content, piece.range.begin)), special,
                                 encoding);
            }
        }
        return encoding;
    }

    std::string tokenBytes(TokenId id) const override {
        const std::string& name = nameOf(id);
        if (m_definition.tokenText == BpeDefinition::TokenText::ByteAlphabet) return alphabetBytes(name).value_or(name);
        if (const auto byte = byteOfName(name); byte && m_definition.decodesByteNames) {
            return std::string(1, static_cast<char>(*byte));
        }
        return withSpaces(name);
    }

    bool isByteToken(TokenId id) const override {
        return m_definition.decodesByteNames && byteOfName(nameOf(id)).has_value();
    }

    std::string tokenName(TokenId id) const override { return nameOf(id); }

    std::optional<TokenId> findToken(std::string_view name) const override {
        const auto found = m_ids.find(name);
        return found == m_ids.end() ? std::nullopt : std::optional(found->second);
    }

    bool isSpecial(TokenId id) const override {
        nameOf(id);
        return m_isSpecial[static_cast<size_t>(id)];
    }

private:
    const std::string& nameOf(TokenId id) const {
        if (id >= 0 && id < vocabularySize()) return m_definition.vocabulary.tokens[static_cast<size_t>(id)];
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: token id {} lies outside the vocabulary of {}",
                                                            m_sourceName, id, vocabularySize())};
    }

    std::string withSpaces(std::string_view name) const {
        const std::string& symbol = m_definition.spaceSymbol;
        std::string text;
        while (!symbol.empty()) {
            const size_t found = name.find(symbol);
            if (found == std::string_view::npos) break;
            text.append(name.substr(0, found)).append(" ");
            name.remove_prefix(found + symbol.size());
        }
        return text.append(name);
    }

    void encodeNormalized(const AlignedText& text, SpecialTokens special, Encoding& encoding) const {
        if (m_normalizedMatcher.isEmpty()) return encodePlain(text, encoding);
        for (const TextPiece& piece : m_normalizedMatcher.split(text.text(), special)) {
            if (piece.token) {
                encoding.ids.push_back(*piece.token);
                encoding.offsets.push_back(text.sourceOf(piece.range.begin, piece.range.end));
            } else {
                encodePlain(text.part(piece.range), encoding);
            }
        }
    }

    void encodePlain(AlignedText text, Encoding& encoding) const {
        const Words words = preTokenize(m_definition.preTokenizer, std::move(text));
        std::vector<BpeToken> tokens;
        for (const ByteRange& word : words.ranges) {
            tokens.clear();
            m_model.encode(std::string_view(words.text.text()).substr(word.begin, word.end - word.begin), word.begin,
                           tokens);
            for (const BpeToken& token : tokens) {
                encoding.ids.push_back(token.id);
                encoding.offsets.push_back(words.text.sourceOf(token.range.begin, token.range.end));
            }
        }
    }

    std::string m_sourceName;
    BpeDefinition m_definition;
    BpeModel m_model;
    std::vector<bool> m_isSpecial;
    AddedTokenMatcher m_rawMatcher;
    AddedTokenMatcher m_normalizedMatcher;
    std::unordered_map<std::string_view, TokenId> m_ids;  // views of m_definition's names
};

}  // namespace

std::unique_ptr<Tokenizer> makeBpeTokenizer(BpeDefinition definition, std::string_view sourceName) {
    addNames(definition.addedTokens, definition.vocabulary.tokens, sourceName);
    return std::make_unique<BpeTokenizer>(std::move(definition), sourceName);
}

void addNames(const std::vector<AddedToken>& added, std::vector<std::string>& tokens, std::string_view sourceName) {
    for (const AddedToken& token : added) {
        const auto id = static_cast<size_t>(token.id);
        if (id >= tokens.size()) tokens.resize(id + 1);
        if (!tokens[id].empty() && tokens[id] != token.content) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: added token {} is '{}', the vocabulary calls it '{}'",
                                                            sourceName, id, token.content, tokens[id])};
        }
        tokens[id] = token.content;
    }
}

}  // namespace wb::core
