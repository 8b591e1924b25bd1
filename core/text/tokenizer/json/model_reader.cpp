// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/json/readers.h"
#include "core/text/tokenizer/models/bpe_model.h"
#include "core/text/tokenizer/models/unigram_model.h"
#include "core/text/tokenizer/models/word_piece_model.h"

#include <algorithm>
#include <array>

namespace wb::core {
namespace {

std::optional<TokenId> readUnknown(const JsonView& json, std::string_view fallback, TokenizerPipeline& pipeline) {
    const std::string name = json.textOr("unk_token", fallback);
    if (name.empty()) return std::nullopt;
    const auto id = idOfName(pipeline.tokens, name);
    if (!id) json.fail(fmt::format("names the unknown token '{}', which is no token", name));
    pipeline.roles.unk = id;
    return id;
}

std::vector<std::pair<std::string, std::string>> readMerges(const JsonView& list) {
    std::vector<std::pair<std::string, std::string>> merges;
    for (const simdjson::dom::element element : list.array()) {
        std::string_view text;
        simdjson::dom::array pair;
        if (element.get(text) == simdjson::SUCCESS) {
            if (text.starts_with("#version")) continue;
            const size_t space = text.find(' ');
            if (space == std::string_view::npos) list.fail(fmt::format("has the entry '{}', which is no pair", text));
            merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        } else if (element.get(pair) == simdjson::SUCCESS && pair.size() == 2) {
            merges.emplace_back(JsonView(pair.at(0), list.path()).text(), JsonView(pair.at(1), list.path()).text());
        } else {
            list.fail(fmt::format("has an entry {} that is no pair", merges.size()));
        }
    }
    return merges;
}

void readBpe(const JsonView& json, std::string_view sourceName, TokenizerPipeline& pipeline) {
    if (const auto dropout = json.find("dropout")) {
        double share = 0.0;
        if (dropout->value().get(share) != simdjson::SUCCESS || share != 0.0)
            dropout->unsupported("merges left out by chance give another encoding each time; set it to null");
    }
    pipeline.tokens = readVocabulary(json.at("vocab"));
    BpeSettings settings;
    settings.merges = readMerges(json.at("merges"));
    settings.hasByteFallback = json.booleanOr("byte_fallback", false);
    settings.fusesUnknown = json.booleanOr("fuse_unk", false);
    settings.ignoresMerges = json.booleanOr("ignore_merges", false);
    settings.continuingPrefix = json.textOr("continuing_subword_prefix", "");
    settings.endSuffix = json.textOr("end_of_word_suffix", "");
    settings.unkId = readUnknown(json, "", pipeline);
    auto& steps = pipeline.preTokenizer;
    const bool isPlain = settings.continuingPrefix.empty() && settings.endSuffix.empty();
    if (isPlain && !steps.empty() && steps.back().kind == PreTokenizerStep::Kind::ByteAlphabet) {
        steps.pop_back();
        settings.readsBytes = true;
    }
    pipeline.kind = settings.readsBytes ? "bpe-byte-level" : "bpe";
    pipeline.model = std::make_unique<BpeModel>(pipeline.tokens, settings, sourceName);
}

void readUnigram(const JsonView& json, std::string_view sourceName, TokenizerPipeline& pipeline) {
    UnigramVocabulary vocabulary;
    const JsonView list = json.at("vocab");
    for (const simdjson::dom::element element : list.array()) {
        const JsonView entry(element, fmt::format("{}[{}]", list.path(), vocabulary.pieces.size()));
        const simdjson::dom::array pair = entry.array();
        double score = 0.0;
        if (pair.size() != 2 || pair.at(1).get(score) != simdjson::SUCCESS) entry.fail("is no pair of piece and score");
        vocabulary.pieces.emplace_back(JsonView(pair.at(0), entry.path()).text());
        vocabulary.scores.push_back(score);
    }
    if (vocabulary.pieces.empty()) list.fail("is empty");
    if (const auto unknown = json.find("unk_id"))
        vocabulary.unkId = static_cast<TokenId>(unknown->integer(0, kMaxTokenId));
    vocabulary.hasByteFallback = json.booleanOr("byte_fallback", false);
    pipeline.model = std::make_unique<UnigramModel>(vocabulary, sourceName);
    pipeline.kind = "unigram";
    pipeline.roles.unk = vocabulary.unkId;
    pipeline.tokens = std::move(vocabulary.pieces);
}

void readWordPiece(const JsonView& json, std::string_view, TokenizerPipeline& pipeline) {
    pipeline.tokens = readVocabulary(json.at("vocab"));
    const auto unknown = readUnknown(json, "[UNK]", pipeline);
    if (!unknown) json.fail("names no unknown token");
    WordPieceSettings settings{.unkId = *unknown,
                               .continuingPrefix = json.textOr("continuing_subword_prefix", "##"),
                               .maxWordCharacters = readCount(json, "max_input_chars_per_word", 100)};
    pipeline.kind = "wordpiece";
    pipeline.model = std::make_unique<WordPieceModel>(pipeline.tokens, std::move(settings));
}

void readWordLevel(const JsonView& json, std::string_view sourceName, TokenizerPipeline& pipeline) {
    pipeline.tokens = readVocabulary(json.at("vocab"));
    // The name of the unknown token need not be a token.
    const auto unknown = idOfName(pipeline.tokens, json.textOr("unk_token", "<unk>"));
    pipeline.kind = "wordlevel";
    pipeline.roles.unk = unknown;
    pipeline.model = std::make_unique<WordLevelModel>(pipeline.tokens, unknown, sourceName);
}

struct ModelReader {
    std::string_view type;
    void (*read)(const JsonView& json, std::string_view sourceName, TokenizerPipeline& pipeline);
};

// Every model type of the format: to support one, give it a reader.
constexpr std::array kModelReaders{
    ModelReader{"BPE", readBpe},
    ModelReader{"Unigram", readUnigram},
    ModelReader{"WordPiece", readWordPiece},
    ModelReader{"WordLevel", readWordLevel},
};

// Files of old writers do not say the type; what else is there tells it.
std::string modelType(const JsonView& json) {
    if (const auto type = json.find("type")) return std::string(type->text());
    if (json.find("merges")) return "BPE";
    if (json.find("continuing_subword_prefix") || json.find("max_input_chars_per_word")) return "WordPiece";
    const auto vocabulary = json.find("vocab");
    if (vocabulary && vocabulary->value().is_array()) return "Unigram";
    return vocabulary && json.find("unk_token") ? "WordLevel" : "";
}

}  // namespace

void readModel(const JsonView& json, std::string_view sourceName, TokenizerPipeline& pipeline) {
    const std::string type = modelType(json);
    const auto reader = std::ranges::find(kModelReaders, type, &ModelReader::type);
    if (reader == kModelReaders.end()) json.unsupported(fmt::format("tokenizer model '{}' is not supported", type));
    reader->read(json, sourceName, pipeline);
}

}  // namespace wb::core
