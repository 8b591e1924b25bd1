// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/tokenizer_settings.h"

#include <filesystem>
#include <memory>

namespace wb::core {

// A byte-level tokenizer in two files, vocab.json (token to id) and merges.txt ("left right" a line). How it splits
// words follows from the tokenizer class of the settings; GPT-2 if none is said.
// Throws NotFound, CorruptFile naming file and line, Unsupported naming the class.
std::unique_ptr<Tokenizer> openVocabAndMerges(const std::filesystem::path& vocabFile,
                                              const std::filesystem::path& mergesFile,
                                              const TokenizerSettings& settings);

}  // namespace wb::core
