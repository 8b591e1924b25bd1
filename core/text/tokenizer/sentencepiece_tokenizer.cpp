// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/sentencepiece_tokenizer.h"

#include "core/text/text_assembler.h"
#include "core/text/tokenizer/byte_alphabet.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>
#include <algorithm>
#include <unordered_map>

namespace wb::core {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

std::string withSpaces(std::string_view piece) {
    std::string text;
    while (!piece.empty()) {
        const size_t symbol = piece.find(kSpaceSymbol);
        text += piece.substr(0, symbol);
        if (symbol == std::string_view::npos) break;
        text += ' ';
        piece.remove_prefix(symbol + kSpaceSymbol.size());
    }
    return text;
}

std::unique_ptr<sentencepiece::SentencePieceProcessor> loadProcessor(const std::string& model,
                                                                     std::string_view source) {
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    const auto status = processor->LoadFromSerializedProto(model);
    if (!status.ok()) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: SentencePiece refuses the model: {}", source, status.ToString())};
    }
    return processor;
}

class SentencePieceTokenizer : public Tokenizer {
public:
    SentencePieceTokenizer(std::string_view serialisedModel, std::string_view source, const TokenizerSettings& settings)
        : m_model(parseSentencePieceModel(std::as_bytes(std::span(serialisedModel)), source)), m_sourceName(source) {
        const std::string bytes(serialisedModel);
        m_processor = loadProcessor(bytes, source);
        if (static_cast<size_t>(m_processor->GetPieceSize()) != m_model.pieces.size()) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: {} pieces were read, SentencePiece sees {}", source,
                                                            m_model.pieces.size(), m_processor->GetPieceSize())};
        }
        if (m_model.addsDummyPrefix && !settings.isLegacy) {
            m_continuation = loadProcessor(bytes + std::string(withoutDummyPrefixSuffix()), source);
        }
        for (const SentencePiece& piece : m_model.pieces) {
            m_isSpecial.push_back(piece.type == PieceType::Control || piece.type == PieceType::Unknown);
        }
        addTokens(settings.addedTokens);
        readRoles(settings);
    }

    int32_t vocabularySize() const override { return static_cast<int32_t>(m_isSpecial.size()); }
    const SpecialIds& specialIds() const override { return m_roles; }
    std::string kind() const override {
        switch (m_model.kind) {
            case SentencePieceKind::Unigram: return "sentencepiece-unigram";
            case SentencePieceKind::Bpe: return "sentencepiece-bpe";
            case SentencePieceKind::Word: return "sentencepiece-word";
            case SentencePieceKind::Character: return "sentencepiece-char";
        }
        return "sentencepiece";
    }

    Encoding encode(std::string_view text, SpecialTokens special) const override {
        const std::string repaired = isValidUtf8(text) ? std::string() : replaceInvalidUtf8(text);
        const std::string_view input = repaired.empty() ? text : std::string_view(repaired);
        Encoding encoding;
        for (const TextPiece& piece : m_matcher.split(input, special)) {
            if (piece.token) {
                encoding.ids.push_back(*piece.token);
                encoding.offsets.push_back(piece.range);
            } else {
                encodePlain(input.substr(piece.range.begin, piece.range.end - piece.range.begin), piece.range.begin,
                            encoding);
            }
        }
        return encoding;
    }

    std::unique_ptr<TextStream> startText() const override {
        using FirstSpace = DecodeRules::FirstSpace;
        const FirstSpace firstSpace = m_model.removesExtraWhitespace ? FirstSpace::DropOfEachToken
                                      : m_model.addsDummyPrefix      ? FirstSpace::DropOne
                                                                     : FirstSpace::Keep;
        return joinBytes(*this, {.firstSpace = firstSpace, .invalidBytes = DecodeRules::InvalidBytes::OnePerByte});
    }

    std::string tokenBytes(TokenId id) const override {
        if (!isPiece(id)) return addedContent(id);
        const SentencePiece& piece = pieceOf(id);
        // The name of a byte piece was checked when the model was read.
        if (piece.type == PieceType::Byte) return std::string(1, static_cast<char>(*byteOfName(piece.text)));
        return withSpaces(piece.text);
    }

    std::string tokenName(TokenId id) const override { return isPiece(id) ? pieceOf(id).text : addedContent(id); }

    std::optional<TokenId> findToken(std::string_view name) const override {
        if (const auto added = m_addedIds.find(std::string(name)); added != m_addedIds.end()) return added->second;
        const int id = m_processor->PieceToId(absl::string_view(name.data(), name.size()));
        // The library answers the unknown id for names it does not know.
        if (id < 0 || id >= static_cast<int>(m_model.pieces.size()) || pieceOf(id).text != name) return std::nullopt;
        return id;
    }

    bool isSpecial(TokenId id) const override {
        checkId(id);
        return m_isSpecial[static_cast<size_t>(id)];
    }

private:
    void checkId(TokenId id) const {
        if (id >= 0 && id < vocabularySize()) return;
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: token id {} lies outside the vocabulary of {}",
                                                            m_sourceName, id, vocabularySize())};
    }
    bool isPiece(TokenId id) const {
        checkId(id);
        return static_cast<size_t>(id) < m_model.pieces.size();
    }
    const SentencePiece& pieceOf(TokenId id) const { return m_model.pieces[static_cast<size_t>(id)]; }
    const std::string& addedContent(TokenId id) const {
        return m_addedContents[static_cast<size_t>(id) - m_model.pieces.size()];
    }

    // Tokens beyond the pieces extend the vocabulary; those that name a piece only give it their flags.
    void addTokens(std::vector<AddedToken> tokens) {
        for (AddedToken& token : tokens) {
            const auto id = static_cast<size_t>(token.id);
            if (id >= m_isSpecial.size()) {
                m_isSpecial.resize(id + 1, false);
                m_addedContents.resize(id + 1 - m_model.pieces.size());
            }
            if (id >= m_model.pieces.size()) {
                m_addedContents[id - m_model.pieces.size()] = token.content;
                m_addedIds.emplace(token.content, token.id);
            } else if (m_model.pieces[id].text != token.content) {
                throw Error{ErrorCode::CorruptFile,
                            fmt::format("{}: added token {} is '{}', the model calls it '{}'", m_sourceName, id,
                                        token.content, m_model.pieces[id].text)};
            }
            if (token.isSpecial) m_isSpecial[id] = true;
        }
        for (size_t id = 0; id < m_model.pieces.size(); ++id) {
            const PieceType type = m_model.pieces[id].type;
            const bool isListed = std::ranges::find(tokens, static_cast<TokenId>(id), &AddedToken::id) != tokens.end();
            if (isListed || (type != PieceType::Control && type != PieceType::Unknown)) continue;
            tokens.push_back({.id = static_cast<TokenId>(id), .content = m_model.pieces[id].text, .isSpecial = true});
        }
        m_matcher = AddedTokenMatcher(std::move(tokens));
    }

    void readRoles(const TokenizerSettings& settings) {
        const auto role = [&](int32_t id, PieceType type) {
            const bool isThere =
                id >= 0 && id < static_cast<int32_t>(m_model.pieces.size()) && pieceOf(id).type == type;
            return isThere ? std::optional(id) : std::nullopt;
        };
        m_roles.unk = role(m_model.unkId, PieceType::Unknown);
        m_roles.bos = role(m_model.bosId, PieceType::Control);
        m_roles.eos = role(m_model.eosId, PieceType::Control);
        m_roles.pad = role(m_model.padId, PieceType::Control);
        m_roles.addBos = m_roles.bos.has_value();
        applyRoles(
            settings, [&](const std::string& name) { return findToken(name); }, m_roles);
    }

    void encodePlain(std::string_view text, size_t offset, Encoding& encoding) const {
        const bool isContinued = m_continuation != nullptr && !encoding.ids.empty();
        const auto& processor = isContinued ? *m_continuation : *m_processor;
        sentencepiece::ImmutableSentencePieceText pieces;
        const auto status = processor.Encode(absl::string_view(text.data(), text.size()), pieces.mutable_proto());
        if (!status.ok()) {
            throw Error{ErrorCode::Internal, fmt::format("{}: encoding failed: {}", m_sourceName, status.ToString())};
        }
        const size_t first = encoding.ids.size();
        for (const auto& piece : pieces.pieces()) {
            encoding.ids.push_back(static_cast<TokenId>(piece.id()));
            encoding.offsets.push_back({offset + piece.begin(), offset + piece.end()});
        }
        spreadBytes(encoding, first);
    }

    bool isByteToken(TokenId id) const { return isPiece(id) && pieceOf(id).type == PieceType::Byte; }

    // The library gives the last byte of a character the whole range and the others none; each is to have its own.
    void spreadBytes(Encoding& encoding, size_t first) const {
        for (size_t i = first; i < encoding.ids.size(); ++i) {
            if (!isByteToken(encoding.ids[i]) || encoding.offsets[i].begin == encoding.offsets[i].end) continue;
            const ByteRange whole = encoding.offsets[i];
            size_t begin = i;
            while (begin > first && i - begin + 1 < whole.end - whole.begin && isByteToken(encoding.ids[begin - 1]) &&
                   encoding.offsets[begin - 1] == ByteRange{whole.begin, whole.begin}) {
                --begin;
            }
            if (i - begin + 1 != whole.end - whole.begin) continue;
            for (size_t k = begin; k <= i; ++k)
                encoding.offsets[k] = {whole.begin + (k - begin), whole.begin + (k - begin) + 1};
        }
    }

    SentencePieceModel m_model;
    std::string m_sourceName;
    std::unique_ptr<sentencepiece::SentencePieceProcessor> m_processor;
    std::unique_ptr<sentencepiece::SentencePieceProcessor> m_continuation;  // without dummy prefix; null if not needed
    std::vector<std::string> m_addedContents;                               // of the ids that follow the pieces
    std::unordered_map<std::string, TokenId> m_addedIds;
    std::vector<bool> m_isSpecial;
    AddedTokenMatcher m_matcher;
    SpecialIds m_roles;
};

}  // namespace

std::unique_ptr<Tokenizer> makeSentencePieceTokenizer(std::string_view serialisedModel, std::string_view sourceName,
                                                      const TokenizerSettings& settings) {
    return std::make_unique<SentencePieceTokenizer>(serialisedModel, sourceName, settings);
}

}  // namespace wb::core
