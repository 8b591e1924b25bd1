// SPDX-License-Identifier: Apache-2.0
// Private to the tokenizer.json reader: one function for each component of the file.
#pragma once

#include "core/text/tokenizer/bpe_tokenizer.h"
#include "core/text/tokenizer/json_view.h"

#include <vector>

namespace wb::core {

std::vector<AddedToken> readAddedTokens(const JsonView& list);
void readNormalizer(const JsonView& json, BpeDefinition& definition);
// Also tells from a ByteLevel component that tokens are written in the byte alphabet.
void readPreTokenizer(const JsonView& json, BpeDefinition& definition);
void readDecoder(const JsonView& json, BpeDefinition& definition);
// BOS and EOS that the pipeline adds around a single text.
void readPostProcessor(const JsonView& json, BpeDefinition& definition);
// Tokens and merges of a model of type BPE.
void readBpeModel(const JsonView& json, BpeDefinition& definition);

}  // namespace wb::core
