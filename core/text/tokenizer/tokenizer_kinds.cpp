// SPDX-License-Identifier: Apache-2.0
// Every file a tokenizer can come from: to add a kind, write its file and one row here.
#include "core/format/mapped_file.h"
#include "core/text/tokenizer.h"
#include "core/text/tokenizer/gguf_tokenizer.h"
#include "core/text/tokenizer/sentencepiece_tokenizer.h"
#include "core/text/tokenizer/tokenizer_json.h"
#include "core/text/tokenizer/tokenizer_settings.h"
#include "core/text/tokenizer/vocab_and_merges.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <array>

namespace wb::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxVocabularyBytes = size_t{256} << 20;

std::unique_ptr<Tokenizer> openSentencePiece(const fs::path& file) {
    return makeSentencePieceTokenizer(readTextFile(file, kMaxVocabularyBytes), file.string(),
                                      readTokenizerSettings(file.parent_path()));
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
                                                 "spiece.model and vocab.json with merges.txt",
                                                 modelPath.string())};
}

}  // namespace wb::core
