// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/tokenizer_json.h"

#include "core/text/tokenizer/json/readers.h"

#include <algorithm>

namespace wb::core {
namespace {

// Without a tokenizer_config.json nothing names the end of a text; these names have no other meaning.
void guessRoles(const TokenizerPipeline& pipeline, const TokenizerSettings& settings, SpecialIds& roles) {
    if (settings.eosToken || roles.eos) return;
    for (const char* name : {"</s>", "<|endoftext|>", "<|end_of_text|>"}) {
        const auto token = std::ranges::find(pipeline.addedTokens, name, &AddedToken::content);
        if (token == pipeline.addedTokens.end() || !token->isSpecial) continue;
        roles.eos = token->id;
        return;
    }
}

}  // namespace

std::unique_ptr<Tokenizer> parseTokenizerJson(std::string_view json, std::string_view sourceName,
                                              const TokenizerSettings& settings) {
    simdjson::dom::parser parser;
    const JsonView root = JsonView::parse(parser, json, std::string(sourceName));
    TokenizerPipeline pipeline;
    if (const auto normalizer = root.find("normalizer")) pipeline.normalizer = readNormalizer(*normalizer);
    if (const auto steps = root.find("pre_tokenizer")) pipeline.preTokenizer = readPreTokenizer(*steps);
    readModel(root.at("model"), sourceName, pipeline);
    if (const auto added = root.find("added_tokens")) pipeline.addedTokens = readAddedTokens(*added);
    if (const auto decoder = root.find("decoder"))
        pipeline.decoder = readDecoder(*decoder);
    else
        pipeline.decoder.emplace_back().kind = DecoderStep::Kind::JoinWords;
    if (const auto postProcessor = root.find("post_processor"))
        readPostProcessor(*postProcessor, pipeline);
    else
        pipeline.postProcessor.push_back({{SpecialTemplate::Part{.isText = true, .ids = {}}}});
    addMissingTokens(settings, pipeline.addedTokens);
    guessRoles(pipeline, settings, pipeline.roles);
    addNames(pipeline.addedTokens, pipeline.tokens, sourceName);
    applyRoles(
        settings, [&](const std::string& name) { return idOfName(pipeline.tokens, name); }, pipeline.roles);
    return makePipelineTokenizer(std::move(pipeline), sourceName);
}

}  // namespace wb::core
