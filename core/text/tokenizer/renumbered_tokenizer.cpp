// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/renumbered_tokenizer.h"

#include "core/format/mapped_file.h"
#include "core/text/tokenizer/json/readers.h"
#include "core/text/tokenizer/named_vocabulary.h"
#include "core/text/tokenizer/sentencepiece_tokenizer.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

constexpr size_t kMaxBytes = size_t{256} << 20;

// What the ids of such a model are.
struct Numbering {
    std::vector<std::string> names;  // by id; empty where nothing has the id
    std::vector<TokenId> ofPiece;    // the id of each piece
    std::vector<AddedToken> added;   // special tokens that are found in a text
    std::vector<TokenId> before;     // what stands around a text
    std::vector<TokenId> behind;
    SpecialIds roles;
};

class RenumberedTokenizer : public Tokenizer {
public:
    RenumberedTokenizer(std::unique_ptr<Tokenizer> pieces, Numbering numbering, std::string_view sourceName)
        : m_pieces(std::move(pieces)),
          m_numbering(std::move(numbering)),
          m_vocabulary(std::move(m_numbering.names), sourceName),
          m_pieceOf(static_cast<size_t>(m_vocabulary.size()), TokenTable::kNone),
          m_matcher(m_numbering.added) {
        for (size_t piece = m_numbering.ofPiece.size(); piece-- > 0;)  // several pieces may be the unknown token
            m_pieceOf[static_cast<size_t>(m_numbering.ofPiece[piece])] = static_cast<TokenId>(piece);
        for (const AddedToken& token : m_numbering.added) m_vocabulary.makeSpecial(token.id);
    }

    int32_t vocabularySize() const override { return m_vocabulary.size(); }
    const SpecialIds& specialIds() const override { return m_numbering.roles; }
    std::string kind() const override { return m_pieces->kind(); }

    Encoding encode(std::string_view text, SpecialTokens special) const override {
        const std::string repaired = isValidUtf8(text) ? std::string() : replaceInvalidUtf8(text);
        const std::string_view input = repaired.empty() ? text : std::string_view(repaired);
        Encoding result;
        for (const TextPiece& part : m_matcher.split(input, special)) {
            if (part.token) {
                result.ids.push_back(*part.token);
                result.offsets.push_back(part.range);
                continue;
            }
            const auto plain = input.substr(part.range.begin, part.range.end - part.range.begin);
            const Encoding encoding = m_pieces->encode(plain, SpecialTokens::None);
            for (size_t i = 0; i < encoding.ids.size(); ++i) {
                result.ids.push_back(m_numbering.ofPiece[static_cast<size_t>(encoding.ids[i])]);
                result.offsets.push_back(
                    {part.range.begin + encoding.offsets[i].begin, part.range.begin + encoding.offsets[i].end});
            }
        }
        return result;
    }

    std::vector<TokenId> withSpecials(std::vector<TokenId> ids) const override {
        ids.insert(ids.begin(), m_numbering.before.begin(), m_numbering.before.end());
        ids.insert(ids.end(), m_numbering.behind.begin(), m_numbering.behind.end());
        return ids;
    }

    std::unique_ptr<TextStream> startText() const override { return std::make_unique<Text>(*this); }

    std::string tokenBytes(TokenId id) const override {
        const std::string& name = m_vocabulary.nameOf(id);
        const TokenId piece = m_pieceOf[static_cast<size_t>(id)];
        return piece == TokenTable::kNone ? name : m_pieces->tokenBytes(piece);
    }
    std::string tokenName(TokenId id) const override { return m_vocabulary.nameOf(id); }
    std::optional<TokenId> findToken(std::string_view name) const override { return m_vocabulary.find(name); }
    bool isSpecial(TokenId id) const override { return m_vocabulary.isSpecial(id); }

private:
    class Text : public TextStream {
    public:
        explicit Text(const RenumberedTokenizer& tokenizer)
            : m_tokenizer(tokenizer), m_text(tokenizer.m_pieces->startText()) {}
        std::string push(TokenId id) override {
            const TokenId piece = m_tokenizer.m_pieceOf[static_cast<size_t>(id)];
            return piece == TokenTable::kNone ? m_tokenizer.tokenName(id) : m_text->push(piece);
        }
        std::string flush() override { return m_text->flush(); }

    private:
        const RenumberedTokenizer& m_tokenizer;
        std::unique_ptr<TextStream> m_text;
    };

    std::unique_ptr<Tokenizer> m_pieces;
    Numbering m_numbering;  // its names are in m_vocabulary
    NamedVocabulary m_vocabulary;
    std::vector<TokenId> m_pieceOf;  // by id; kNone for tokens that are no piece
    AddedTokenMatcher m_matcher;
};

std::unique_ptr<Tokenizer> openPieces(const std::filesystem::path& file) {
    TokenizerSettings plain;
    plain.addBos = plain.addEos = false;
    return makeSentencePieceTokenizer(readTextFile(file, kMaxBytes), file.string(), plain);
}

// Names of roles that the vocabulary has become special tokens.
void addRoles(const std::filesystem::path& file, Numbering& numbering) {
    const auto role = [&](std::string_view name) {
        const auto id = idOfName(numbering.names, name);
        if (id) numbering.added.push_back({.id = *id, .content = std::string(name), .isSpecial = true});
        return id;
    };
    numbering.roles.bos = role("<s>");
    numbering.roles.eos = role("</s>");
    numbering.roles.pad = role("<pad>");
    numbering.roles.unk = role("<unk>");
    if (!numbering.roles.eos || !numbering.roles.unk)
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: has no '</s>' or no '<unk>'", file.string())};
    numbering.behind.push_back(*numbering.roles.eos);
    numbering.roles.addEos = true;
}

// The order of the languages is that of the ids.
constexpr auto kM2M100Languages = std::to_array<std::string_view>(
    {"af", "am", "ar", "ast", "az", "ba",  "be", "bg", "bn", "br", "bs", "ca", "ceb", "cs", "cy", "da", "de",
     "el", "en", "es", "et",  "fa", "ff",  "fi", "fr", "fy", "ga", "gd", "gl", "gu",  "ha", "he", "hi", "hr",
     "ht", "hu", "hy", "id",  "ig", "ilo", "is", "it", "ja", "jv", "ka", "kk", "km",  "kn", "ko", "lb", "lg",
     "ln", "lo", "lt", "lv",  "mg", "mk",  "ml", "mn", "mr", "ms", "my", "ne", "nl",  "no", "ns", "oc", "or",
     "pa", "pl", "ps", "pt",  "ro", "ru",  "sd", "si", "sk", "sl", "so", "sq", "sr",  "ss", "su", "sv", "sw",
     "ta", "th", "tl", "tn",  "tr", "uk",  "ur", "uz", "vi", "wo", "xh", "yi", "yo",  "zh", "zu"});

}  // namespace

std::unique_ptr<Tokenizer> openPegasus(const std::filesystem::path& file, const TokenizerSettings& settings) {
    constexpr int64_t kDefaultOffset = 103;
    constexpr size_t kNumKept = 2;  // "<pad>" and "</s>"
    const auto offset = static_cast<size_t>(settings.offset.value_or(kDefaultOffset));
    auto pieces = openPieces(file);
    const auto numPieces = static_cast<size_t>(pieces->vocabularySize());
    Numbering numbering;
    numbering.names.resize(numPieces + offset);
    for (size_t piece = 0; piece < numPieces; ++piece) {
        const size_t id = piece < kNumKept ? piece : piece + offset;
        numbering.names[id] = pieces->tokenName(static_cast<TokenId>(piece));
        numbering.ofPiece.push_back(static_cast<TokenId>(id));
    }
    for (size_t id = kNumKept; id < kNumKept + offset; ++id) {
        const size_t number = id - kNumKept;
        numbering.names[id] = number < 2 ? fmt::format("<mask_{}>", number + 1) : fmt::format("<unk_{}>", number);
        numbering.added.push_back({.id = static_cast<TokenId>(id), .content = numbering.names[id], .isSpecial = true});
    }
    addRoles(file, numbering);
    return std::make_unique<RenumberedTokenizer>(std::move(pieces), std::move(numbering), file.string());
}

std::unique_ptr<Tokenizer> openM2M100(const std::filesystem::path& file, const TokenizerSettings& settings) {
    const std::filesystem::path vocabularyFile = file.parent_path() / "vocab.json";
    const std::string json = readTextFile(vocabularyFile, kMaxBytes);
    simdjson::dom::parser parser;
    Numbering numbering;
    numbering.names = readVocabulary(JsonView::parse(parser, json, vocabularyFile.string()));
    const TokenTable ids = [&] {
        TokenTable table(numbering.names.size());
        for (size_t id = 0; id < numbering.names.size(); ++id)
            if (!numbering.names[id].empty()) table.insert(numbering.names[id], static_cast<TokenId>(id));
        return table;
    }();
    addRoles(vocabularyFile, numbering);
    auto pieces = openPieces(file);
    for (TokenId piece = 0; piece < pieces->vocabularySize(); ++piece) {
        const TokenId id = ids.find(pieces->tokenName(piece));
        numbering.ofPiece.push_back(id == TokenTable::kNone ? *numbering.roles.unk : id);
    }
    const std::string source = settings.sourceLanguage.value_or("en");
    for (const std::string_view language : kM2M100Languages) {
        const auto id = static_cast<TokenId>(numbering.names.size());
        numbering.names.push_back(fmt::format("__{}__", language));
        numbering.added.push_back({.id = id, .content = numbering.names.back(), .isSpecial = true});
        if (language == source) numbering.before.push_back(id);
    }
    if (numbering.before.empty())
        throw Error{ErrorCode::Unsupported, fmt::format("{}: the source language '{}' is not one of the {} of M2M100",
                                                        file.string(), source, kM2M100Languages.size())};
    return std::make_unique<RenumberedTokenizer>(std::move(pieces), std::move(numbering), file.string());
}

}  // namespace wb::core
