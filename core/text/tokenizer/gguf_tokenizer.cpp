// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/gguf_tokenizer.h"

#include "core/text/tokenizer/bpe_tokenizer.h"
#include "core/text/tokenizer/sentencepiece_tokenizer.h"
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

std::unique_ptr<Tokenizer> makeSentencePiece(const GgufFile& file) {
    const GgufVocabulary vocabulary = readVocabulary(file);
    const auto* scores = file.numbers("tokenizer.ggml.scores");
    if (scores == nullptr || scores->size() != vocabulary.tokens->size()) {
        vocabulary.fail("metadata 'tokenizer.ggml.scores' is missing or of another length than the tokens");
    }
    const SpecialIds roles = readRoles(file, vocabulary);
    SentencePieceModel model;
    model.kind = SentencePieceKind::Bpe;
    for (size_t id = 0; id < vocabulary.tokens->size(); ++id) {
        model.pieces.push_back({(*vocabulary.tokens)[id], static_cast<float>((*scores)[id]), vocabulary.types[id]});
    }
    model.hasByteFallback = std::ranges::count(vocabulary.types, PieceType::Byte) == 256;
    model.unkId = roles.unk.value_or(0);
    model.bosId = roles.bos.value_or(-1);
    model.eosId = roles.eos.value_or(-1);
    model.padId = roles.pad.value_or(-1);
    model.addsDummyPrefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
    model.removesExtraWhitespace = false;
    // Files of some converters call a token of a role normal; as such it could come out of a user's text.
    for (const int32_t id : {model.bosId, model.eosId, model.padId}) {
        if (id >= 0 && id != model.unkId) model.pieces[static_cast<size_t>(id)].type = PieceType::Control;
    }
    model.pieces[static_cast<size_t>(model.unkId)].type = PieceType::Unknown;
    TokenizerSettings settings;
    settings.addBos = file.boolean("tokenizer.ggml.add_bos_token").value_or(true);
    settings.addEos = file.boolean("tokenizer.ggml.add_eos_token").value_or(false);
    return makeSentencePieceTokenizer(serialiseSentencePieceModel(model), vocabulary.source, settings);
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

std::unique_ptr<Tokenizer> makeByteLevel(const GgufFile& file) {
    const GgufVocabulary vocabulary = readVocabulary(file);
    BpeDefinition definition;
    definition.vocabulary.isByteLevel = true;
    definition.vocabulary.tokens = *vocabulary.tokens;
    definition.vocabulary.merges = readMerges(file, vocabulary);
    const std::string rule = file.text("tokenizer.ggml.pre").value_or("gpt-2");
    definition.vocabulary.ignoresMerges = rule == "llama-bpe" || rule == "llama3" || rule == "llama-v3";
    definition.preTokenizer = splitRulesNamed(rule, vocabulary.source);
    definition.roles = readRoles(file, vocabulary);
    for (size_t id = 0; id < vocabulary.tokens->size(); ++id) {
        const PieceType type = vocabulary.types[id];
        if (type != PieceType::Control && type != PieceType::UserDefined && type != PieceType::Unknown) continue;
        definition.addedTokens.push_back({.id = static_cast<TokenId>(id),
                                          .content = (*vocabulary.tokens)[id],
                                          .isSpecial = type != PieceType::UserDefined});
    }
    definition.roles.addBos = definition.roles.bos && file.boolean("tokenizer.ggml.add_bos_token").value_or(false);
    definition.roles.addEos = definition.roles.eos && file.boolean("tokenizer.ggml.add_eos_token").value_or(false);
    return makeBpeTokenizer(std::move(definition), vocabulary.source);
}

struct GgufKind {
    std::string_view name;
    std::unique_ptr<Tokenizer> (*make)(const GgufFile& file);  // null: known by name and not supported
};

constexpr std::array kGgufKinds{
    GgufKind{"llama", makeSentencePiece},
    GgufKind{"gpt2", makeByteLevel},
    GgufKind{"t5", nullptr},
    GgufKind{"bert", nullptr},
};

}  // namespace

std::unique_ptr<Tokenizer> makeGgufTokenizer(const GgufFile& file) {
    const auto name = file.text("tokenizer.ggml.model");
    if (!name) throw Error{ErrorCode::NotFound, fmt::format("{}: carries no tokenizer", file.path().string())};
    const auto kind = std::ranges::find(kGgufKinds, *name, &GgufKind::name);
    if (kind != kGgufKinds.end() && kind->make != nullptr) return kind->make(file);
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: tokenizer kind '{}' is not supported; supported are llama and gpt2",
                            file.path().string(), *name)};
}

}  // namespace wb::core
