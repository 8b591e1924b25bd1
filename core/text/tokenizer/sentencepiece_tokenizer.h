// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/sentencepiece_model.h"
#include "core/text/tokenizer/tokenizer_settings.h"

#include <memory>
#include <string>
#include <string_view>

namespace wb::core {

// A SentencePiece model (unigram or BPE) with the added tokens and roles of its settings.
//   serialisedModel  the bytes of the .model file
//   settings         of the folder; defaults where there is only the file
// Throws CorruptFile or Unsupported, naming sourceName.
std::unique_ptr<Tokenizer> makeSentencePieceTokenizer(std::string_view serialisedModel, std::string_view sourceName,
                                                      const TokenizerSettings& settings);

}  // namespace wb::core
