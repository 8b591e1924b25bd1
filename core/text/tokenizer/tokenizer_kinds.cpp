// SPDX-License-Identifier: Apache-2.0
// Every file a tokenizer can come from: to add a kind, write its file and one row here.
#include "core/format/mapped_file.h"
#include "core/text/tokenizer.h"
#include "core/text/tokenizer/gguf_tokenizer.h"
#include "core/text/tokenizer/renumbered_tokenizer.h"
#include "core/text/tokenizer/sentencepiece_tokenizer.h"
#include "core/text/tokenizer/tokenizer_json.h"
#include "core/text/tokenizer/tokenizer_settings.h"
#include "core/text/tokenizer/vocab_and_merges.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxVocabularyBytes = size_t{256} << 20;

// T5 writes "<extra_id_0>" for the last row of its vocabulary, puts nothing in front of a text and "</s>" behind it.
void addT5Tokens(const std::string& model, const fs::path& file, TokenizerSettings& settings) {
    constexpr int64_t kDefaultCount = 100;
    const auto parsed = parseSentencePieceModel(std::as_bytes(std::span(model)), file.string());
    const int64_t count = settings.extraIds.value_or(kDefaultCount);
    for (int64_t number = 0; number < count; ++number) {
        AddedToken token{.id = static_cast<TokenId>(static_cast<int64_t>(parsed.pieces.size()) + count - 1 - number),
                         .content = fmt::format("<extra_id_{}>", number),
                         .isSpecial = true};
        const auto isListed = [&](const AddedToken& known) {
            return known.id == token.id || known.content == token.content;
        };
        if (std::ranges::none_of(settings.addedTokens, isListed)) settings.addedTokens.push_back(std::move(token));
    }
    if (!settings.addBos) settings.addBos = false;
    if (!settings.addEos) settings.addEos = true;
}

std::unique_ptr<Tokenizer> openSentencePiece(const fs::path& file) {
    TokenizerSettings settings = readTokenizerSettings(file.parent_path());
    if (settings.tokenizerClass == "PegasusTokenizer") return openPegasus(file, settings);
    if (settings.tokenizerClass == "M2M100Tokenizer") return openM2M100(file, settings);
    const std::string model = readTextFile(file, kMaxVocabularyBytes);
    if (settings.tokenizerClass == "T5Tokenizer") addT5Tokens(model, file, settings);
    return makeSentencePieceTokenizer(model, file.string(), settings);
}

std::unique_ptr<Tokenizer> openTokenizerJson(const fs::path& file) {
    return parseTokenizerJson(readTextFile(file, kMaxVocabularyBytes), file.string(),
                              readTokenizerSettings(file.parent_path()));
}

std::unique_ptr<Tokenizer> openVocabulary(const fs::path& file) {
    return openVocabAndMerges(file, file.parent_path() / "merges.txt", readTokenizerSettings(file.parent_path()));
}

std::unique_ptr<Tokenizer> openGguf(const fs::path& file) {
    return makeGgufTokenizer(GgufFile::open(file));
}

struct TokenizerFile {
    const char* name;       // in a model folder; earlier rows are preferred
    const char* extension;  // of a file that is opened by itself, or null
    std::unique_ptr<Tokenizer> (*open)(const fs::path& file);
};

constexpr std::array kTokenizerFiles{
    TokenizerFile{"tokenizer.json", nullptr, openTokenizerJson},
    TokenizerFile{"tokenizer.model", ".model", openSentencePiece},
    TokenizerFile{"spiece.model", nullptr, openSentencePiece},
    TokenizerFile{"sentencepiece.bpe.model", nullptr, openSentencePiece},
    TokenizerFile{"vocab.json", nullptr, openVocabulary},
    TokenizerFile{nullptr, ".gguf", openGguf},
    TokenizerFile{nullptr, ".json", openTokenizerJson},
};

// A model may be named by one of its other files; the tokenizer lies beside it.
bool isModelFile(const fs::path& path) {
    return path.filename() == "config.json" || path.extension() == ".safetensors";
}

bool fits(const TokenizerFile& kind, const fs::path& file) {
    return (kind.name != nullptr && file.filename() == kind.name) ||
           (kind.extension != nullptr && file.extension() == kind.extension);
}

}  // namespace

std::unique_ptr<Tokenizer> loadTokenizer(const fs::path& modelPath) {
    if (!fs::exists(modelPath)) {
        throw Error{ErrorCode::NotFound, fmt::format("{}: there is no such model or tokenizer", modelPath.string())};
    }
    if (fs::is_directory(modelPath) || isModelFile(modelPath)) {
        const fs::path folder = fs::is_directory(modelPath) ? modelPath : modelPath.parent_path();
        for (const TokenizerFile& kind : kTokenizerFiles) {
            if (kind.name != nullptr && fs::exists(folder / kind.name)) return kind.open(folder / kind.name);
        }
    } else {
        for (const TokenizerFile& kind : kTokenizerFiles) {
            if (fits(kind, modelPath)) return kind.open(modelPath);
        }
    }
    throw Error{ErrorCode::NotFound, fmt::format("{}: has no tokenizer; looked for tokenizer.json, tokenizer.model, "
                                                 "spiece.model, sentencepiece.bpe.model and vocab.json with merges.txt",
                                                 modelPath.string())};
}

}  // namespace wb::core
