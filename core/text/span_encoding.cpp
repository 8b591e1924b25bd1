// SPDX-License-Identifier: Apache-2.0
#include "core/text/span_encoding.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace wb::core {
namespace {

bool isAsciiWord(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool contains(const std::vector<TokenId>& ids, TokenId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Added tokens look like "<|im_end|>" or "[INST]"; only names of that look are worth two trial encodings.
bool isAddedToken(const Tokenizer& tokenizer, TokenId id) {
    if (tokenizer.isSpecial(id)) return true;
    const std::string name = tokenizer.tokenName(id);
    const bool isAscii = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
    if (name.size() < 3 || !isAscii || isAsciiWord(name.front())) return false;
    return contains(tokenizer.encode(name, SpecialTokens::Parse).ids, id) &&
           !contains(tokenizer.encode(name, SpecialTokens::None).ids, id);
}

// Whether the template wrote all of this token.
bool isFromTemplate(const RenderedChat& rendered, ByteRange token) {
    const auto firstOver = std::partition_point(rendered.spans.begin(), rendered.spans.end(),
                                                [&](const TextSpan& span) { return span.end <= token.begin; });
    for (auto span = firstOver; span != rendered.spans.end() && span->begin < token.end; ++span)
        if (span->kind != SpanKind::Template && !span->isMarker) return false;
    return true;
}

void append(Encoding& to, const Encoding& from, size_t offset) {
    to.ids.insert(to.ids.end(), from.ids.begin(), from.ids.end());
    for (const ByteRange& range : from.offsets) to.offsets.push_back({range.begin + offset, range.end + offset});
}

void dropFront(Encoding& encoding, size_t count) {
    encoding.ids.erase(encoding.ids.begin(), encoding.ids.begin() + static_cast<std::ptrdiff_t>(count));
    encoding.offsets.erase(encoding.offsets.begin(), encoding.offsets.begin() + static_cast<std::ptrdiff_t>(count));
}

// One byte each; most vocabularies have no longer piece that begins with them.
constexpr const char* kAnchors[] = {"\n", "\x02", "|"};

bool isEmpty(const ByteRange& range) {
    return range.begin == range.end;
}

}  // namespace

SpanEncoder::SpanEncoder(const Tokenizer& tokenizer) : m_tokenizer(tokenizer) {
    const TokenId size = tokenizer.vocabularySize();
    m_isAdded.resize(static_cast<size_t>(size));
    for (TokenId id = 0; id < size; ++id) m_isAdded[static_cast<size_t>(id)] = isAddedToken(tokenizer, id);
    std::string bytes;
    for (const TokenId id : tokenizer.encode("a", SpecialTokens::None).ids) bytes += tokenizer.tokenBytes(id);
    m_addsPrefixSpace = bytes == " a";
}

Encoding SpanEncoder::encodePiece(std::string_view text, SpecialTokens special, bool isContinuation) const {
    if (!isContinuation || !m_addsPrefixSpace || text.empty()) return m_tokenizer.encode(text, special);
    // Behind other text the tokenizer adds no space: put some in front and take its tokens off again.
    for (const char* anchor : kAnchors) {
        std::string anchored = anchor;
        anchored += text;
        Encoding encoding = m_tokenizer.encode(anchored, special);
        size_t anchorTokens = 0;
        while (anchorTokens < encoding.ids.size() && encoding.offsets[anchorTokens].end <= 1) ++anchorTokens;
        const bool isClean =
            anchorTokens > 0 && anchorTokens < encoding.ids.size() && encoding.offsets[anchorTokens].begin >= 1;
        if (!isClean) continue;  // the anchor merged with the text, or was normalised away
        dropFront(encoding, anchorTokens);
        for (ByteRange& range : encoding.offsets) range = {range.begin - 1, range.end - 1};
        return encoding;
    }
    // Keep the plain encoding, without a leading token that stands for nothing.
    Encoding plain = m_tokenizer.encode(text, special);
    if (plain.ids.size() > 1 && isEmpty(plain.offsets.front())) dropFront(plain, 1);
    return plain;
}

Encoding SpanEncoder::encodeRange(const RenderedChat& rendered, ByteRange range, bool isContinuation) const {
    const std::string_view text = std::string_view(rendered.text).substr(range.begin, range.end - range.begin);
    Encoding whole;
    append(whole, encodePiece(text, SpecialTokens::Parse, isContinuation), range.begin);
    std::vector<size_t> ownTokens;  // positions in `whole` of added tokens that the template wrote
    bool hasForeign = false;
    for (size_t i = 0; i < whole.ids.size(); ++i) {
        if (!isAdded(whole.ids[i]) || isEmpty(whole.offsets[i])) continue;
        if (isFromTemplate(rendered, whole.offsets[i]))
            ownTokens.push_back(i);
        else
            hasForeign = true;
    }
    if (!hasForeign) return whole;

    // A row spells a special token: encode what lies between the template's own tokens as plain text.
    Encoding result;
    size_t position = range.begin;
    const auto appendPlain = [&](size_t end) {
        const std::string_view piece = std::string_view(rendered.text).substr(position, end - position);
        if (!piece.empty()) append(result, encodePiece(piece, SpecialTokens::None, isContinuation), position);
        isContinuation = true;
        position = end;
    };
    for (const size_t i : ownTokens) {
        appendPlain(whole.offsets[i].begin);
        result.ids.push_back(whole.ids[i]);
        result.offsets.push_back(whole.offsets[i]);
        position = whole.offsets[i].end;
    }
    appendPlain(range.end);
    return result;
}

// The pipeline's special tokens stand for no bytes: those in front for none at the beginning, those behind at the end.
Encoding SpanEncoder::withSpecials(Encoding encoding, size_t textSize) const {
    Encoding framed;
    framed.ids = m_tokenizer.withSpecials(encoding.ids);
    const auto text = std::ranges::search(framed.ids, encoding.ids);
    const auto before = static_cast<size_t>(text.begin() - framed.ids.begin());
    framed.offsets.assign(before, ByteRange{0, 0});
    framed.offsets.insert(framed.offsets.end(), encoding.offsets.begin(), encoding.offsets.end());
    framed.offsets.resize(framed.ids.size(), ByteRange{textSize, textSize});
    return framed;
}

Encoding SpanEncoder::encodePrompt(const RenderedChat& prompt, PromptReader reader) const {
    Encoding encoding = encodeRange(prompt, {0, prompt.text.size()}, false);
    if (reader == PromptReader::Encoder) return withSpecials(std::move(encoding), prompt.text.size());
    const SpecialIds& roles = m_tokenizer.specialIds();
    if (roles.addBos && roles.bos && (encoding.ids.empty() || encoding.ids.front() != *roles.bos)) {
        encoding.ids.insert(encoding.ids.begin(), *roles.bos);
        encoding.offsets.insert(encoding.offsets.begin(), ByteRange{0, 0});
    }
    return encoding;
}

Encoding SpanEncoder::encodeContinuation(const RenderedChat& rendered, ByteRange range) const {
    return encodeRange(rendered, range, true);
}

Encoding SpanEncoder::encodeAlone(const RenderedChat& rendered, ByteRange range) const {
    return encodeRange(rendered, range, false);
}

Encoding SpanEncoder::encodeTextContinuation(std::string_view text) const {
    return encodePiece(text, SpecialTokens::None, true);
}

}  // namespace wb::core
