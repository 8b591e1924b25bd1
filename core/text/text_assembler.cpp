// SPDX-License-Identifier: Apache-2.0
#include "core/text/text_assembler.h"

#include "core/text/utf8.h"

namespace wb::core {
namespace {

std::string replacements(size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += kReplacementCharacter;
    return text;
}

}  // namespace

std::string TextAssembler::push(std::string_view bytes, TokenKind kind) {
    std::string text;
    if (m_rules.invalidBytes != DecodeRules::InvalidBytes::WholeRun) {
        m_pending += bytes;
        text = takeCharacters(false);
    } else if (kind == TokenKind::Byte) {
        m_pending += bytes;
    } else {
        text = takeRun();
        text += bytes;
    }
    dropFirstSpace(text);
    return text;
}

std::string TextAssembler::flush() {
    std::string text = m_rules.invalidBytes == DecodeRules::InvalidBytes::WholeRun ? takeRun() : takeCharacters(true);
    dropFirstSpace(text);
    m_hasText = false;
    return text;
}

std::string TextAssembler::takeRun() {
    std::string run = std::move(m_pending);
    m_pending.clear();
    return isValidUtf8(run) ? run : replacements(run.size());
}

std::string TextAssembler::takeCharacters(bool isEnd) {
    std::string text;
    std::string_view rest = m_pending;
    while (!rest.empty()) {
        const Utf8Step step = decodeUtf8(rest);
        if (step.isIncomplete && !isEnd) break;
        const bool isPerByte = m_rules.invalidBytes == DecodeRules::InvalidBytes::OnePerByte;
        if (step.isValid)
            text += rest.substr(0, step.bytes);
        else
            text += replacements(isPerByte ? step.bytes : 1);
        rest.remove_prefix(step.bytes);
    }
    m_pending.erase(0, m_pending.size() - rest.size());
    return text;
}

void TextAssembler::dropFirstSpace(std::string& text) {
    if (m_hasText || text.empty()) return;
    const bool isDropped = m_rules.firstSpace != DecodeRules::FirstSpace::Keep && text.front() == ' ';
    if (isDropped) text.erase(0, 1);
    m_hasText = !text.empty() || m_rules.firstSpace == DecodeRules::FirstSpace::DropOne;
}

}  // namespace wb::core
