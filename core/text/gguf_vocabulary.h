// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf.h"
#include "core/format/gguf_metadata.h"
#include "core/format/model_config.h"

#include <filesystem>
#include <span>

namespace wb::core {

// The tokenizer of a model as the metadata of a GGUF file ("tokenizer.ggml..."), from the files beside its weights:
// tokenizer.json, a SentencePiece .model, or vocab.json with merges.txt; roles, added tokens and chat template from
// tokenizer_config.json and its like. Ids without a token, up to the model's vocabulary, become unused ones.
// Throws NotFound if none of the files is a vocabulary, Unsupported naming what llama.cpp cannot do alike (a splitting
// rule, a normaliser), CorruptFile naming the file and key.
//   files  all in one folder
GgufMetadata ggufVocabularyOf(std::span<const std::filesystem::path> files, const ModelConfig& config);

// The same of another GGUF file: all that it says about its tokenizer. Throws NotFound if it has none, Unsupported
// naming a value that cannot be written again.
GgufMetadata ggufVocabularyOf(const GgufFile& file);

}  // namespace wb::core
