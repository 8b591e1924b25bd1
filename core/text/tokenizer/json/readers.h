// SPDX-License-Identifier: Apache-2.0
// Private to the tokenizer.json reader: one function for each component of the file, one .cpp for each function.
#pragma once

#include "core/text/tokenizer/json_view.h"
#include "core/text/tokenizer/pipeline_tokenizer.h"

#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

inline constexpr int64_t kMaxTokenId = (int64_t{1} << 22) - 1;
inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

std::vector<AddedToken> readAddedTokens(const JsonView& list);
std::vector<NormalizerStep> readNormalizer(const JsonView& json);
std::vector<PreTokenizerStep> readPreTokenizer(const JsonView& json);
std::vector<DecoderStep> readDecoder(const JsonView& json);
// Also the roles: the one token in front of a text is BOS, the one behind it EOS.
void readPostProcessor(const JsonView& json, TokenizerPipeline& pipeline);
// Kind, tokens, model, and the unknown token's role. Behind a pre-tokenizer that ends with ByteAlphabet, a byte-pair
// model reads plain bytes instead, and the step is taken off.
void readModel(const JsonView& json, std::string_view sourceName, TokenizerPipeline& pipeline);

// {"token": id, ...} into a list by id.
std::vector<std::string> readVocabulary(const JsonView& json);

// What several components share.
std::string typeOf(const JsonView& json);
Regex readPattern(const JsonView& json);          // {"String": text} or {"Regex": pattern}
std::string prependScheme(const JsonView& json);  // "always", "first" or "never"; older files say add_prefix_space
size_t readCount(const JsonView& json, std::string_view key, size_t fallback);

// Visits a component, or each one of a Sequence of them, in order.
template <class Visit>
void forEachComponent(const JsonView& json, std::string_view listKey, const Visit& visit, int depth = 0) {
    constexpr int kMaxNesting = 8;  // of Sequence within Sequence
    if (typeOf(json) != "Sequence") return visit(json);
    if (depth == kMaxNesting) json.fail(fmt::format("nests more than {} sequences", kMaxNesting));
    const JsonView list = json.at(listKey);
    size_t index = 0;
    for (const simdjson::dom::element element : list.array())
        forEachComponent(JsonView(element, fmt::format("{}[{}]", list.path(), index++)), listKey, visit, depth + 1);
}

}  // namespace wb::core
