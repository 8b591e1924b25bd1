// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/gguf_tokenizer.h"

#include "core/text/tokenizer/models/bpe_model.h"
#include "core/text/tokenizer/models/word_piece_model.h"
#include "core/text/tokenizer/pipeline_tokenizer.h"
#include "core/text/tokenizer/sentencepiece_tokenizer.h"
#include "core/text/tokenizer/split_rules.h"
#include "core/text/tokenizer/unicode_classes.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

// The vocabulary's lists, of one length.
struct GgufVocabulary {
    const std::vector<std::string>* tokens = nullptr;
    std::vector<PieceType> types;
    std::string source;

    [[noreturn]] void fail(const std::string& what) const {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", source, what)};
    }
};

GgufVocabulary readVocabulary(const GgufFile& file) {
    GgufVocabulary vocabulary;
    vocabulary.source = file.path().string();
    vocabulary.tokens = file.texts("tokenizer.ggml.tokens");
    if (vocabulary.tokens == nullptr || vocabulary.tokens->empty())
        vocabulary.fail("metadata 'tokenizer.ggml.tokens' is missing or empty");
    const size_t size = vocabulary.tokens->size();
    vocabulary.types.assign(size, PieceType::Normal);
    const auto* types = file.integers("tokenizer.ggml.token_type");
    if (types == nullptr) return vocabulary;
    if (types->size() != size) vocabulary.fail(fmt::format("{} token types for {} tokens", types->size(), size));
    for (size_t id = 0; id < size; ++id) {
        const int64_t type = (*types)[id];
        if (type < 1 || type > 6) vocabulary.fail(fmt::format("token {} has the unknown type {}", id, type));
        vocabulary.types[id] = static_cast<PieceType>(type);
    }
    return vocabulary;
}

std::optional<TokenId> roleOf(const GgufFile& file, const char* key, const GgufVocabulary& vocabulary) {
    const auto id = file.integer(key);
    if (!id || *id == 0xffffffff || *id == -1) return std::nullopt;  // both stand for "none"
    if (*id < 0 || *id >= static_cast<int64_t>(vocabulary.tokens->size()))
        vocabulary.fail(fmt::format("'{}' is {}", key, *id));
    return static_cast<TokenId>(*id);
}

SpecialIds readRoles(const GgufFile& file, const GgufVocabulary& vocabulary) {
    SpecialIds roles;
    roles.bos = roleOf(file, "tokenizer.ggml.bos_token_id", vocabulary);
    roles.eos = roleOf(file, "tokenizer.ggml.eos_token_id", vocabulary);
    roles.pad = roleOf(file, "tokenizer.ggml.padding_token_id", vocabulary);
    roles.unk = roleOf(file, "tokenizer.ggml.unknown_token_id", vocabulary);
    return roles;
}

// The bytes of an array of numbers from 0 to 255.
std::string readBytes(const GgufFile& file, const char* key, const GgufVocabulary& vocabulary) {
    std::string bytes;
    const auto* numbers = file.integers(key);
    if (numbers == nullptr) return bytes;
    for (const int64_t number : *numbers) {
        if (number < -128 || number > 255) vocabulary.fail(fmt::format("'{}' holds {}", key, number));
        bytes += static_cast<char>(static_cast<uint8_t>(number));
    }
    return bytes;
}

std::unique_ptr<Tokenizer> makeSentencePiece(const GgufFile& file, SentencePieceKind kind) {
    const GgufVocabulary vocabulary = readVocabulary(file);
    const auto* scores = file.numbers("tokenizer.ggml.scores");
    if (scores == nullptr || scores->size() != vocabulary.tokens->size()) {
        vocabulary.fail("metadata 'tokenizer.ggml.scores' is missing or of another length than the tokens");
    }
    const SpecialIds roles = readRoles(file, vocabulary);
    SentencePieceModel model;
    model.kind = kind;
    for (size_t id = 0; id < vocabulary.tokens->size(); ++id) {
        model.pieces.push_back({(*vocabulary.tokens)[id], static_cast<float>((*scores)[id]), vocabulary.types[id]});
    }
    const bool isUnigram = kind == SentencePieceKind::Unigram;
    model.hasByteFallback = std::ranges::count(vocabulary.types, PieceType::Byte) == 256;
    const auto unknown = std::ranges::find(vocabulary.types, PieceType::Unknown);
    const bool isFound = unknown != vocabulary.types.end();
    model.unkId = roles.unk.value_or(isFound ? static_cast<TokenId>(unknown - vocabulary.types.begin()) : 0);
    model.bosId = roles.bos.value_or(-1);
    model.eosId = roles.eos.value_or(-1);
    model.padId = roles.pad.value_or(-1);
    model.addsDummyPrefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
    model.removesExtraWhitespace = file.boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(isUnigram);
    model.characterMap = readBytes(file, "tokenizer.ggml.precompiled_charsmap", vocabulary);
    // Files of some converters call a token of a role normal; as such it could come out of a user's text.
    for (const int32_t id : {model.bosId, model.eosId, model.padId}) {
        if (id >= 0 && id != model.unkId) model.pieces[static_cast<size_t>(id)].type = PieceType::Control;
    }
    model.pieces[static_cast<size_t>(model.unkId)].type = PieceType::Unknown;
    TokenizerSettings settings;
    settings.addBos = file.boolean("tokenizer.ggml.add_bos_token").value_or(!isUnigram);
    settings.addEos = file.boolean("tokenizer.ggml.add_eos_token").value_or(isUnigram);
    // Tokens that a user added are cut out before the pieces are looked for, and take no space from their neighbours.
    for (size_t id = 0; id < model.pieces.size(); ++id) {
        if (vocabulary.types[id] == PieceType::UserDefined)
            settings.addedTokens.push_back({.id = static_cast<TokenId>(id), .content = model.pieces[id].text});
    }
    return makeSentencePieceTokenizer(serialiseSentencePieceModel(model), vocabulary.source, settings);
}

std::unique_ptr<Tokenizer> makeSentencePieceBpe(const GgufFile& file) {
    return makeSentencePiece(file, SentencePieceKind::Bpe);
}

std::unique_ptr<Tokenizer> makeSentencePieceUnigram(const GgufFile& file) {
    return makeSentencePiece(file, SentencePieceKind::Unigram);
}

std::vector<std::pair<std::string, std::string>> readMerges(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const auto* lines = file.texts("tokenizer.ggml.merges");
    if (lines == nullptr) vocabulary.fail("metadata 'tokenizer.ggml.merges' is missing");
    std::vector<std::pair<std::string, std::string>> merges;
    for (const std::string& line : *lines) {
        const size_t space = line.find(' ', 1);  // a token may itself begin with a space
        if (line.size() < 3 || space == std::string::npos)
            vocabulary.fail(fmt::format("merge {} is no pair", merges.size()));
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return merges;
}

void addSpecialTokens(const GgufVocabulary& vocabulary, TokenizerPipeline& pipeline) {
    for (size_t id = 0; id < vocabulary.tokens->size(); ++id) {
        const PieceType type = vocabulary.types[id];
        if (type != PieceType::Control && type != PieceType::UserDefined && type != PieceType::Unknown) continue;
        pipeline.addedTokens.push_back({.id = static_cast<TokenId>(id),
                                        .content = (*vocabulary.tokens)[id],
                                        .isSpecial = type != PieceType::UserDefined});
    }
}

std::unique_ptr<Tokenizer> makeByteLevel(const GgufFile& file) {
    const GgufVocabulary vocabulary = readVocabulary(file);
    TokenizerPipeline pipeline;
    BpeSettings settings;
    settings.readsBytes = true;
    settings.merges = readMerges(file, vocabulary);
    const std::string rule = file.text("tokenizer.ggml.pre").value_or("gpt-2");
    settings.ignoresMerges = rule == "llama-bpe" || rule == "llama3" || rule == "llama-v3" || rule == "falcon3";
    pipeline.kind = "bpe-byte-level";
    pipeline.tokens = *vocabulary.tokens;
    pipeline.model = std::make_unique<BpeModel>(pipeline.tokens, settings, vocabulary.source);
    pipeline.preTokenizer = splitRulesNamed(rule, vocabulary.source);
    pipeline.decoder.emplace_back().kind = DecoderStep::Kind::ByteLevel;
    pipeline.roles = readRoles(file, vocabulary);
    addSpecialTokens(vocabulary, pipeline);
    pipeline.roles.addBos = pipeline.roles.bos && file.boolean("tokenizer.ggml.add_bos_token").value_or(false);
    pipeline.roles.addEos = pipeline.roles.eos && file.boolean("tokenizer.ggml.add_eos_token").value_or(false);
    return makePipelineTokenizer(std::move(pipeline), vocabulary.source);
}

// Such files write a token that begins a word with U+2581 in front and one that continues it without "##".
std::string wordPieceName(const std::string& name, PieceType type) {
    constexpr std::string_view kWordStart = "\xE2\x96\x81";
    if (type != PieceType::Normal) return name;
    return name.starts_with(kWordStart) ? name.substr(kWordStart.size()) : "##" + name;
}

// The normaliser of llama.cpp for these: decomposed, without marks where that makes another letter, lower case.
std::unique_ptr<Tokenizer> makeWordPiece(const GgufFile& file) {
    const GgufVocabulary vocabulary = readVocabulary(file);
    TokenizerPipeline pipeline;
    pipeline.kind = "wordpiece";
    pipeline.roles = readRoles(file, vocabulary);
    for (size_t id = 0; id < vocabulary.tokens->size(); ++id)
        pipeline.tokens.push_back(wordPieceName((*vocabulary.tokens)[id], vocabulary.types[id]));
    if (!pipeline.roles.unk) pipeline.roles.unk = idOfName(pipeline.tokens, "[UNK]");
    if (!pipeline.roles.unk) vocabulary.fail("names no unknown token");
    pipeline.model = std::make_unique<WordPieceModel>(pipeline.tokens, WordPieceSettings{.unkId = *pipeline.roles.unk});
    using Clean = NormalizerStep::Kind;
    for (const Clean kind :
         {Clean::CleanBert, Clean::PadCjk, Clean::Nfd, Clean::StripNonSpacingMarks, Clean::Lowercase})
        pipeline.normalizer.emplace_back().kind = kind;
    pipeline.preTokenizer.push_back(splitAt(isWhiteSpace, PreTokenizerStep::Behavior::Removed));
    pipeline.preTokenizer.push_back(splitAt(isPunctuation, PreTokenizerStep::Behavior::Isolated));
    DecoderStep& decoder = pipeline.decoder.emplace_back();
    decoder.kind = DecoderStep::Kind::WordPiece;
    decoder.symbol = "##";
    decoder.cleansUp = true;
    addSpecialTokens(vocabulary, pipeline);
    if (!pipeline.roles.bos) pipeline.roles.bos = roleOf(file, "tokenizer.ggml.cls_token_id", vocabulary);
    const auto separator = roleOf(file, "tokenizer.ggml.seperator_token_id", vocabulary);
    if (!pipeline.roles.eos) pipeline.roles.eos = separator;
    pipeline.roles.addBos = pipeline.roles.bos && file.boolean("tokenizer.ggml.add_bos_token").value_or(true);
    pipeline.roles.addEos = pipeline.roles.eos && file.boolean("tokenizer.ggml.add_eos_token").value_or(true);
    return makePipelineTokenizer(std::move(pipeline), vocabulary.source);
}

struct GgufKind {
    std::string_view name;
    std::unique_ptr<Tokenizer> (*make)(const GgufFile& file);
};

constexpr std::array kGgufKinds{
    GgufKind{"llama", makeSentencePieceBpe},
    GgufKind{"gpt2", makeByteLevel},
    GgufKind{"t5", makeSentencePieceUnigram},
    GgufKind{"bert", makeWordPiece},
};

}  // namespace

std::unique_ptr<Tokenizer> makeGgufTokenizer(const GgufFile& file) {
    const auto name = file.text("tokenizer.ggml.model");
    if (!name) throw Error{ErrorCode::NotFound, fmt::format("{}: carries no tokenizer", file.path().string())};
    const auto kind = std::ranges::find(kGgufKinds, *name, &GgufKind::name);
    if (kind != kGgufKinds.end()) return kind->make(file);
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: tokenizer kind '{}' is not supported; supported are llama, gpt2, t5 and bert",
                            file.path().string(), *name)};
}

}  // namespace wb::core
