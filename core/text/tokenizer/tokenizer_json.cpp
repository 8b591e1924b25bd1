// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/tokenizer_json.h"

#include "core/text/tokenizer/tokenizer_json_parts.h"

#include <algorithm>
#include <array>

namespace wb::core {
namespace {

struct ModelKind {
    std::string_view type;
    void (*read)(const JsonView& json, BpeDefinition& definition);  // null: known by name and not supported
};

// Every model type of the format: to support one, give it a reader.
constexpr std::array kModelKinds{
    ModelKind{"BPE", readBpeModel},
    ModelKind{"Unigram", nullptr},
    ModelKind{"WordPiece", nullptr},
    ModelKind{"WordLevel", nullptr},
};

void readModel(const JsonView& model, BpeDefinition& definition) {
    // Files of old writers do not say the type; merges tell byte-pair encoding.
    const std::string type = model.textOr("type", model.find("merges") ? "BPE" : "");
    const auto kind = std::ranges::find(kModelKinds, type, &ModelKind::type);
    if (kind != kModelKinds.end() && kind->read != nullptr) return kind->read(model, definition);
    model.unsupported(
        fmt::format("tokenizer model '{}' is not supported{}", type,
                    type == "Unigram" ? "; use the SentencePiece file (tokenizer.model) of the same model" : ""));
}

// Without a tokenizer_config.json nothing names the end of a text; these names have no other meaning.
void guessRoles(const BpeDefinition& definition, const TokenizerSettings& settings, SpecialIds& roles) {
    if (settings.eosToken || roles.eos) return;
    for (const char* name : {"</s>", "<|endoftext|>", "<|end_of_text|>"}) {
        const auto token = std::ranges::find(definition.addedTokens, name, &AddedToken::content);
        if (token == definition.addedTokens.end() || !token->isSpecial) continue;
        roles.eos = token->id;
        return;
    }
}

simdjson::dom::element parseDocument(simdjson::dom::parser& parser, std::string_view json,
                                     std::string_view sourceName) {
    simdjson::dom::element root;
    const auto status = parser.parse(json.data(), json.size()).get(root);
    if (status == simdjson::SUCCESS) return root;
    throw Error{ErrorCode::CorruptFile,
                fmt::format("{}: is not valid JSON: {}", sourceName, simdjson::error_message(status))};
}

}  // namespace

std::unique_ptr<Tokenizer> parseTokenizerJson(std::string_view json, std::string_view sourceName,
                                              const TokenizerSettings& settings) {
    simdjson::dom::parser parser;
    const JsonView root(parseDocument(parser, json, sourceName), std::string(sourceName));
    BpeDefinition definition;
    readModel(root.at("model"), definition);
    if (const auto added = root.find("added_tokens")) definition.addedTokens = readAddedTokens(*added);
    if (const auto normalizer = root.find("normalizer")) readNormalizer(*normalizer, definition);
    if (const auto preTokenizer = root.find("pre_tokenizer")) readPreTokenizer(*preTokenizer, definition);
    if (const auto decoder = root.find("decoder")) {
        readDecoder(*decoder, definition);
    } else if (!definition.vocabulary.isByteLevel) {
        root.unsupported("a tokenizer without decoder is supported for byte-level vocabularies only");
    }
    if (const auto postProcessor = root.find("post_processor")) readPostProcessor(*postProcessor, definition);
    addMissingTokens(settings, definition.addedTokens);
    guessRoles(definition, settings, definition.roles);
    addNames(definition.addedTokens, definition.vocabulary.tokens, sourceName);
    const auto& tokens = definition.vocabulary.tokens;
    const auto find = [&](const std::string& name) {
        const auto token = std::ranges::find(tokens, name);
        return token == tokens.end() ? std::nullopt : std::optional(static_cast<TokenId>(token - tokens.begin()));
    };
    applyRoles(settings, find, definition.roles);
    return makeBpeTokenizer(std::move(definition), sourceName);
}

}  // namespace wb::core
