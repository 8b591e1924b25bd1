// SPDX-License-Identifier: Apache-2.0
// Every file a tokenizer can come from: to add a kind, write its file and one row here.
#include "core/format/mapped_file.h"
#include "core/text/tokenizer.h"
#include "core/text/tokenizer/sentencepiece_tokenizer.h"
#include "core/text/tokenizer/tokenizer_settings.h"
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

struct TokenizerFile {
    const char* name;       // in a model folder; earlier rows are preferred
    const char* extension;  // of a file that is opened by itself
    std::unique_ptr<Tokenizer> (*open)(const fs::path& file);
};

constexpr std::array kTokenizerFiles{
    TokenizerFile{"tokenizer.model", ".model", openSentencePiece},
    TokenizerFile{"spiece.model", ".model", openSentencePiece},
};

}  // namespace

std::unique_ptr<Tokenizer> loadTokenizer(const fs::path& modelPath) {
    if (!fs::exists(modelPath)) {
        throw Error{ErrorCode::NotFound, fmt::format("{}: there is no such model or tokenizer", modelPath.string())};
    }
    const bool isFolder = fs::is_directory(modelPath);
    for (const TokenizerFile& kind : kTokenizerFiles) {
        if (isFolder && fs::exists(modelPath / kind.name)) return kind.open(modelPath / kind.name);
        if (!isFolder && modelPath.extension() == kind.extension) return kind.open(modelPath);
    }
    throw Error{ErrorCode::NotFound, fmt::format("{}: has no tokenizer; looked for tokenizer.json, tokenizer.model, "
                                                 "spiece.model and vocab.json with merges.txt",
                                                 modelPath.string())};
}

}  // namespace wb::core
