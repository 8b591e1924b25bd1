// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"
#include "core/text/tokenizer/added_tokens.h"
#include "core/text/tokenizer/decoders.h"
#include "core/text/tokenizer/models/token_model.h"
#include "core/text/tokenizer/normalizers.h"
#include "core/text/tokenizer/pre_tokenizers.h"

#include <memory>
#include <string>
#include <vector>

namespace wb::core {

// What stands around a text: special tokens, and in one place (or several) the text's own ids.
struct SpecialTemplate {
    struct Part {
        bool isText = false;
        std::vector<TokenId> ids;  // if it is not the text
    };
    std::vector<Part> parts;
};

// Everything a tokenizer consists of, whichever file said it. In this order: added tokens that are looked for in the
// text as it is, normaliser, added tokens of the normalised text, pre-tokenizer, model, post-processor.
struct TokenizerPipeline {
    std::string kind;                 // "bpe", "unigram", ...: what inspect shows
    std::vector<std::string> tokens;  // names by id; empty where no token has the id
    std::unique_ptr<TokenModel> model;
    std::vector<AddedToken> addedTokens;
    std::vector<NormalizerStep> normalizer;
    std::vector<PreTokenizerStep> preTokenizer;
    std::vector<DecoderStep> decoder;
    std::vector<SpecialTemplate> postProcessor;  // one around the other; empty: what `roles` say
    SpecialIds roles;
};

// Throws CorruptFile naming sourceName and what contradicts.
std::unique_ptr<Tokenizer> makePipelineTokenizer(TokenizerPipeline pipeline, std::string_view sourceName);

// Puts added tokens into the vocabulary's list of names. Throws CorruptFile if an id has another name already.
void addNames(const std::vector<AddedToken>& added, std::vector<std::string>& tokens, std::string_view sourceName);

// The id of a name in such a list.
std::optional<TokenId> idOfName(const std::vector<std::string>& tokens, std::string_view name);

}  // namespace wb::core
