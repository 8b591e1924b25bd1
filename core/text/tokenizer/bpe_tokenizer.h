// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/added_tokens.h"
#include "core/text/tokenizer/bpe_model.h"
#include "core/text/tokenizer/normalizer.h"
#include "core/text/tokenizer/pre_tokenizer.h"

#include <memory>
#include <string>
#include <vector>

namespace wb::core {

// Everything a byte-pair tokenizer consists of, whichever file said it.
struct BpeDefinition {
    // What the name of a token stands for in text.
    enum class TokenText {
        ByteAlphabet,  // one byte for each character of the byte alphabet
        SpaceSymbol,   // as written, with `spaceSymbol` for a space
    };

    BpeVocabulary vocabulary;
    std::vector<AddedToken> addedTokens;
    std::vector<NormalizerStep> normalizer;
    std::vector<PreTokenizerStep> preTokenizer;
    TokenText tokenText = TokenText::ByteAlphabet;
    std::string spaceSymbol;        // empty: names are written as they are
    bool decodesByteNames = false;  // "<0x0A>" stands for its byte
    DecodeRules decodeRules;
    SpecialIds roles;
};

// Throws CorruptFile naming sourceName and what contradicts.
std::unique_ptr<Tokenizer> makeBpeTokenizer(BpeDefinition definition, std::string_view sourceName);

// Puts added tokens into the vocabulary's list of names. Throws CorruptFile if an id has another name already.
void addNames(const std::vector<AddedToken>& added, std::vector<std::string>& tokens, std::string_view sourceName);

}  // namespace wb::core
