// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/tokenizer_settings.h"

#include <filesystem>
#include <memory>
#include <string_view>

namespace wb::core {

// Models whose ids are not those of their SentencePiece file. `file` is the .model, `settings` are those of its folder.

// Pegasus: the pieces stand `offset` (103) higher, but for "<pad>" and "</s>"; between them "<mask_1>", "<mask_2>" and
// "<unk_2>" to "<unk_102>". "</s>" ends a text.
std::unique_ptr<Tokenizer> openPegasus(const std::filesystem::path& file, const TokenizerSettings& settings);

// M2M100: vocab.json beside the file gives the ids of pieces, and a token for each language follows: "__en__", ... A
// text stands between its language's token and "</s>". The language is the settings' `src_lang`, English if there is
// none. Throws as reading vocab.json does.
std::unique_ptr<Tokenizer> openM2M100(const std::filesystem::path& file, const TokenizerSettings& settings);

}  // namespace wb::core
