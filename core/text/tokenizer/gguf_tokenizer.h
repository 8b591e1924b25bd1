// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf.h"
#include "core/text/tokenizer.h"

#include <memory>

namespace wb::core {

// The vocabulary inside a GGUF file: SentencePiece ("llama", "t5"), byte-level byte-pair encoding
// ("gpt2") or WordPiece ("bert").
// Throws NotFound if there is none, CorruptFile naming the key, Unsupported naming kind or splitting rule.
std::unique_ptr<Tokenizer> makeGgufTokenizer(const GgufFile& file);

}  // namespace wb::core
