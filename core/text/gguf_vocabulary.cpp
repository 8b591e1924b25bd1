// SPDX-License-Identifier: Apache-2.0
#include "core/text/gguf_vocabulary.h"

#include "core/format/json_reader.h"
#include "core/format/mapped_file.h"
#include "core/text/gguf_vocabulary_json.h"
#include "core/text/tokenizer/sentencepiece_model.h"
#include "core/text/tokenizer/tokenizer_settings.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxJsonBytes = size_t{256} << 20;
constexpr std::string_view kSpaceMark = "\u2581";

// Files by name.
class FileSet {
public:
    explicit FileSet(std::span<const fs::path> files) {
        for (const fs::path& file : files) m_files.emplace(file.filename().string(), file);
    }
    const fs::path* find(const std::string& name) const {
        const auto found = m_files.find(name);
        return found == m_files.end() ? nullptr : &found->second;
    }
    fs::path folder() const { return m_files.empty() ? fs::path() : m_files.begin()->second.parent_path(); }

private:
    std::map<std::string, fs::path> m_files;
};

// llama.cpp looks for these in the text as it is, before spaces are marked.
std::string unmarked(std::string text) {
    for (size_t at = text.find(kSpaceMark); at != std::string::npos; at = text.find(kSpaceMark, at + 1)) {
        text.replace(at, kSpaceMark.size(), " ");
    }
    return text;
}

GgufVocabulary vocabularyOfSentencePiece(const fs::path& path) {
    const MappedFile file = MappedFile::open(path);
    const SentencePieceModel model = parseSentencePieceModel(file.bytes(), path.string());
    if (model.kind != SentencePieceKind::Bpe && model.kind != SentencePieceKind::Unigram) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: SentencePiece models of words or characters have no form in GGUF", path.string())};
    }
    GgufVocabulary vocabulary;
    vocabulary.kind = model.kind == SentencePieceKind::Bpe ? "llama" : "t5";
    vocabulary.pre = "default";
    for (const SentencePiece& piece : model.pieces) {
        const bool isLiteral = piece.type == PieceType::UserDefined;
        vocabulary.tokens.push_back(isLiteral ? unmarked(piece.text) : piece.text);
        vocabulary.scores.push_back(piece.score);
        vocabulary.types.push_back(static_cast<int32_t>(piece.type));
    }
    vocabulary.unkId = model.unkId;
    if (model.bosId >= 0) vocabulary.bosId = model.bosId;
    if (model.eosId >= 0) vocabulary.eosId = model.eosId;
    if (model.padId >= 0) vocabulary.padId = model.padId;
    vocabulary.addsSpacePrefix = model.addsDummyPrefix;
    vocabulary.removesExtraWhitespace = model.removesExtraWhitespace;
    vocabulary.characterMap = model.characterMap;
    return vocabulary;
}

// These two files leave unsaid how words are cut; the class of the tokenizer says it.
std::string splitRuleOfClass(std::string_view tokenizerClass, const std::string& source) {
    if (tokenizerClass.empty() || tokenizerClass.starts_with("GPT2Tokenizer")) return "gpt-2";
    if (tokenizerClass.starts_with("Qwen2Tokenizer")) return "qwen2";
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: how a '{}' cuts words has no name in GGUF; save the model with its tokenizer.json",
                            source, tokenizerClass)};
}

GgufVocabulary vocabularyOfFiles(const FileSet& files, const TokenizerSettings& settings) {
    const fs::path* json = files.find("tokenizer.json");
    for (const char* name : {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"}) {
        const fs::path* path = files.find(name);
        // A rank file of tiktoken goes by the name of a SentencePiece model; beside a tokenizer.json it is not needed.
        if (path == nullptr || (json != nullptr && isTiktokenFile(*path))) continue;
        GgufVocabulary vocabulary = vocabularyOfSentencePiece(*path);
        if (json != nullptr) takeRolesFromTokenizerJson(readJsonFile(*json, kMaxJsonBytes), json->string(), vocabulary);
        return vocabulary;
    }
    if (json != nullptr) return vocabularyOfTokenizerJson(readJsonFile(*json, kMaxJsonBytes), json->string());
    const fs::path* vocab = files.find("vocab.json");
    const fs::path* merges = files.find("merges.txt");
    if (vocab != nullptr && merges != nullptr) {
        GgufVocabulary vocabulary = vocabularyOfVocabAndMerges(*vocab, *merges);
        vocabulary.pre = splitRuleOfClass(settings.tokenizerClass, vocab->string());
        return vocabulary;
    }
    throw Error{ErrorCode::NotFound,
                fmt::format("{}: there is no tokenizer.json, tokenizer.model or vocab.json with merges.txt, so a GGUF "
                            "file would have no vocabulary",
                            files.folder().string())};
}

void addToken(GgufVocabulary& vocabulary, const AddedToken& token) {
    const auto id = static_cast<size_t>(token.id);
    vocabulary.growTo(id + 1);
    vocabulary.tokens[id] = token.isSpecial ? token.content : unmarked(token.content);
    // The unknown token keeps its role; bytes stay bytes.
    const auto type = static_cast<PieceType>(vocabulary.types[id]);
    if (type == PieceType::Unknown || type == PieceType::Byte) return;
    vocabulary.types[id] = static_cast<int32_t>(token.isSpecial ? PieceType::Control : PieceType::UserDefined);
}

std::optional<int32_t> idOf(const GgufVocabulary& vocabulary, const std::optional<std::string>& token) {
    if (!token) return std::nullopt;
    const auto found = std::ranges::find(vocabulary.tokens, *token);
    if (found == vocabulary.tokens.end()) return std::nullopt;
    return static_cast<int32_t>(found - vocabulary.tokens.begin());
}

void applySettings(const TokenizerSettings& settings, const ModelConfig& config, GgufVocabulary& vocabulary) {
    for (const AddedToken& token : settings.addedTokens) {
        if (token.id >= 0 && token.id < config.vocabularySize) addToken(vocabulary, token);
    }
    if (const auto id = idOf(vocabulary, settings.bosToken)) vocabulary.bosId = id;
    if (const auto id = idOf(vocabulary, settings.eosToken)) vocabulary.eosId = id;
    if (const auto id = idOf(vocabulary, settings.padToken)) vocabulary.padId = id;
    if (const auto id = idOf(vocabulary, settings.unkToken)) vocabulary.unkId = id;
    if (!vocabulary.bosId && config.bosTokenId) vocabulary.bosId = config.bosTokenId;
    if (!vocabulary.eosId && !config.eosTokenIds.empty()) vocabulary.eosId = config.eosTokenIds.front();
    if (!vocabulary.padId && config.padTokenId) vocabulary.padId = config.padTokenId;
    if (settings.addBos) vocabulary.addsBos = settings.addBos;
    if (settings.addEos) vocabulary.addsEos = settings.addEos;
    if (settings.addPrefixSpace && vocabulary.kind == "llama") vocabulary.addsSpacePrefix = settings.addPrefixSpace;
}

std::optional<std::string> chatTemplateOf(const FileSet& files) {
    if (const fs::path* file = files.find("chat_template.jinja")) {
        const MappedFile mapped = MappedFile::open(*file);
        return std::string(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
    }
    const fs::path* settings = files.find("tokenizer_config.json");
    if (settings == nullptr) return std::nullopt;
    const nlohmann::json root = readJsonFile(*settings, kMaxJsonBytes);
    const auto found = root.is_object() ? root.find("chat_template") : root.end();
    // Several named templates: a file holds one, which is the one called default.
    if (found == root.end()) return std::nullopt;
    if (found->is_string()) return found->get<std::string>();
    if (!found->is_array()) return std::nullopt;
    for (const nlohmann::json& named : *found) {
        if (named.is_object() && named.value("name", "") == "default") return named.value("template", "");
    }
    return std::nullopt;
}

void addId(GgufMetadata& metadata, const char* key, const std::optional<int32_t>& id) {
    if (id) metadata.push_back({key, static_cast<uint32_t>(*id)});
}

void addSwitch(GgufMetadata& metadata, const char* key, const std::optional<bool>& value) {
    if (value) metadata.push_back({key, *value});
}

GgufMetadata metadataOf(const GgufVocabulary& vocabulary) {
    GgufMetadata metadata{{"tokenizer.ggml.model", vocabulary.kind},
                          {"tokenizer.ggml.pre", vocabulary.pre},
                          {"tokenizer.ggml.tokens", vocabulary.tokens}};
    if (!vocabulary.scores.empty()) metadata.push_back({"tokenizer.ggml.scores", vocabulary.scores});
    metadata.push_back({"tokenizer.ggml.token_type", vocabulary.types});
    if (!vocabulary.merges.empty()) metadata.push_back({"tokenizer.ggml.merges", vocabulary.merges});
    addId(metadata, "tokenizer.ggml.bos_token_id", vocabulary.bosId);
    addId(metadata, "tokenizer.ggml.eos_token_id", vocabulary.eosId);
    addId(metadata, "tokenizer.ggml.unknown_token_id", vocabulary.unkId);
    addId(metadata, "tokenizer.ggml.padding_token_id", vocabulary.padId);
    addSwitch(metadata, "tokenizer.ggml.add_bos_token", vocabulary.addsBos);
    addSwitch(metadata, "tokenizer.ggml.add_eos_token", vocabulary.addsEos);
    addSwitch(metadata, "tokenizer.ggml.add_space_prefix", vocabulary.addsSpacePrefix);
    if (vocabulary.kind == "t5") {
        addSwitch(metadata, "tokenizer.ggml.remove_extra_whitespaces", vocabulary.removesExtraWhitespace);
        if (!vocabulary.characterMap.empty()) {
            metadata.push_back({"tokenizer.ggml.precompiled_charsmap",
                                std::vector<uint8_t>(vocabulary.characterMap.begin(), vocabulary.characterMap.end())});
        }
    }
    return metadata;
}

// Reading forgets how wide a number was; every key of a tokenizer has one width.
struct CopiedField {
    const std::string& key;
    const GgufFile& file;

    GgufField operator()(bool value) const { return value; }
    GgufField operator()(double value) const { return static_cast<float>(value); }
    GgufField operator()(const std::string& value) const { return value; }
    GgufField operator()(const std::vector<std::string>& values) const { return values; }
    GgufField operator()(const std::vector<double>& values) const {
        return std::vector<float>(values.begin(), values.end());
    }
    GgufField operator()(int64_t value) const {
        if (value >= 0 && value <= UINT32_MAX) return static_cast<uint32_t>(value);
        if (value < 0 && value >= INT32_MIN) return static_cast<int32_t>(value);
        throw Error{ErrorCode::Unsupported, fmt::format("{}: '{}' is {}", file.path().string(), key, value)};
    }
    GgufField operator()(const std::vector<int64_t>& values) const {
        if (key.ends_with("precompiled_charsmap")) {
            std::vector<uint8_t> bytes;
            for (const int64_t value : values) bytes.push_back(static_cast<uint8_t>(value));
            return bytes;
        }
        std::vector<int32_t> numbers;
        for (const int64_t value : values) {
            if (value < INT32_MIN || value > INT32_MAX) {
                throw Error{ErrorCode::Unsupported, fmt::format("{}: '{}' holds {}", file.path().string(), key, value)};
            }
            numbers.push_back(static_cast<int32_t>(value));
        }
        return numbers;
    }
};

}  // namespace

void GgufVocabulary::growTo(size_t size) {
    constexpr float kUnusedScore = -10000.0F;
    while (tokens.size() < size) {
        tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
        types.push_back(static_cast<int32_t>(PieceType::Unused));
        if (kind != "gpt2") scores.push_back(kUnusedScore);
    }
}

GgufMetadata ggufVocabularyOf(std::span<const fs::path> files, const ModelConfig& config) {
    const FileSet set(files);
    const TokenizerSettings settings = readTokenizerSettings(set.folder());
    GgufVocabulary vocabulary = vocabularyOfFiles(set, settings);
    applySettings(settings, config, vocabulary);
    if (static_cast<int64_t>(vocabulary.tokens.size()) > config.vocabularySize) {
        throw Error{
            ErrorCode::Unsupported,
            fmt::format("{}: the tokenizer has {} tokens and the model {} rows, so a GGUF file cannot hold both",
                        set.folder().string(), vocabulary.tokens.size(), config.vocabularySize)};
    }
    vocabulary.growTo(static_cast<size_t>(config.vocabularySize));
    GgufMetadata metadata = metadataOf(vocabulary);
    if (const auto text = chatTemplateOf(set)) metadata.push_back({"tokenizer.chat_template", *text});
    return metadata;
}

GgufMetadata ggufVocabularyOf(const GgufFile& file) {
    GgufMetadata metadata;
    for (const auto& [key, value] : file.metadata()) {
        if (key.starts_with("tokenizer.")) metadata.push_back({key, std::visit(CopiedField{key, file}, value)});
    }
    if (file.texts("tokenizer.ggml.tokens") == nullptr) {
        throw Error{ErrorCode::NotFound, fmt::format("{}: carries no tokenizer", file.path().string())};
    }
    return metadata;
}

}  // namespace wb::core
