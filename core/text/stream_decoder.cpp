// SPDX-License-Identifier: Apache-2.0
#include "core/text/text_assembler.h"
#include "core/text/tokenizer.h"

namespace wb::core {
namespace {

// The bytes of the tokens one behind another.
class JoinedBytes : public TextStream {
public:
    JoinedBytes(const Tokenizer& tokenizer, DecodeRules rules) : m_tokenizer(tokenizer), m_assembler(rules) {}
    std::string push(TokenId id) override {
        return m_assembler.push(m_tokenizer.tokenBytes(id), TextAssembler::TokenKind::Text);
    }
    std::string flush() override { return m_assembler.flush(); }

private:
    const Tokenizer& m_tokenizer;
    TextAssembler m_assembler;
};

}  // namespace

std::unique_ptr<TextStream> joinBytes(const Tokenizer& tokenizer, DecodeRules rules) {
    return std::make_unique<JoinedBytes>(tokenizer, rules);
}

std::unique_ptr<TextStream> Tokenizer::startText() const {
    return joinBytes(*this, {});
}

std::vector<TokenId> encodePrompt(const Tokenizer& tokenizer, std::string_view text, SpecialTokens special) {
    std::vector<TokenId> ids = tokenizer.encode(text, special).ids;
    const SpecialIds& roles = tokenizer.specialIds();
    if (roles.addBos && roles.bos && (ids.empty() || ids.front() != *roles.bos)) ids.insert(ids.begin(), *roles.bos);
    return ids;
}

std::vector<TokenId> encodeWithSpecials(const Tokenizer& tokenizer, std::string_view text, SpecialTokens special) {
    return tokenizer.withSpecials(tokenizer.encode(text, special).ids);
}

std::vector<TokenId> Tokenizer::withSpecials(std::vector<TokenId> ids) const {
    const SpecialIds& roles = specialIds();
    if (roles.addBos && roles.bos) ids.insert(ids.begin(), *roles.bos);
    if (roles.addEos && roles.eos) ids.push_back(*roles.eos);
    return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
    StreamDecoder decoder(*this);
    std::string text;
    for (const TokenId id : ids) text += decoder.push(id);
    return text + decoder.flush();
}

std::string tokenBytesOrNone(const Tokenizer& tokenizer, TokenId id) {
    return id >= tokenizer.vocabularySize() ? std::string() : tokenizer.tokenBytes(id);
}

std::string StreamDecoder::push(TokenId id) {
    if (id >= m_tokenizer.vocabularySize() || m_tokenizer.isSpecial(id)) return {};
    return m_text->push(id);
}

std::string StreamDecoder::flush() {
    return m_text->flush();
}

}  // namespace wb::core
