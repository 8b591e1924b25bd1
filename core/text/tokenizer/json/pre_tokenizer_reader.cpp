// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/json/readers.h"
#include "core/text/tokenizer/split_rules.h"
#include "core/text/tokenizer/unicode_classes.h"
#include "core/text/utf8.h"

#include <algorithm>
#include <array>

namespace wb::core {
namespace {

using Behavior = PreTokenizerStep::Behavior;
using Kind = PreTokenizerStep::Kind;
using Steps = std::vector<PreTokenizerStep>;

Behavior readBehavior(const JsonView& json) {
    struct Named {
        std::string_view name;
        Behavior behavior;
    };
    constexpr std::array kNamed{Named{"Removed", Behavior::Removed}, Named{"Isolated", Behavior::Isolated},
                                Named{"MergedWithPrevious", Behavior::MergedWithPrevious},
                                Named{"MergedWithNext", Behavior::MergedWithNext},
                                Named{"Contiguous", Behavior::Contiguous}};
    const std::string name = json.textOr("behavior", "Isolated");
    const auto named = std::ranges::find(kNamed, name, &Named::name);
    if (named == kNamed.end()) json.unsupported(fmt::format("splitting behaviour '{}' is not known", name));
    return named->behavior;
}

char32_t oneCharacter(const JsonView& json, std::string_view key, std::string_view fallback) {
    const std::string text = json.textOr(key, fallback);
    if (text.empty() || decodeUtf8(text).bytes != text.size())
        json.fail(fmt::format("'{}' is '{}' and not one character", key, text));
    return decodeUtf8(text).codePoint;
}

void readByteLevel(const JsonView& json, Steps& steps) {
    if (json.booleanOr("add_prefix_space", true)) steps.push_back(prefixWith(" "));
    if (json.booleanOr("use_regex", true)) steps.push_back(splitAt(Regex(kGpt2Pattern, json.path())));
    steps.push_back(stepOf(Kind::ByteAlphabet));
}

void readMetaspace(const JsonView& json, Steps& steps) {
    const std::string symbol = json.textOr("replacement", kSpaceSymbol);
    const char32_t character = oneCharacter(json, "replacement", kSpaceSymbol);
    const std::string scheme = prependScheme(json);
    steps.push_back(replaceSpaces(symbol));
    if (scheme != "never") {
        using When = PreTokenizerStep::When;
        steps.push_back(prefixWith(symbol, scheme == "first" ? When::AtStartOfInput : When::Always));
    }
    if (json.booleanOr("split", true)) steps.push_back(splitAt(character, Behavior::MergedWithNext));
}

void readSplit(const JsonView& json, Steps& steps) {
    steps.push_back(splitAt(readPattern(json.at("pattern")), readBehavior(json)));
    steps.back().isInverted = json.booleanOr("invert", false);
}

void readDigits(const JsonView& json, Steps& steps) {
    const bool isIndividual = json.booleanOr("individual_digits", false);
    steps.push_back(splitAt(isNumeric, isIndividual ? Behavior::Isolated : Behavior::Contiguous));
}

void readPunctuation(const JsonView& json, Steps& steps) {
    steps.push_back(splitAt(isPunctuation, readBehavior(json)));
}

void readWhitespace(const JsonView&, Steps& steps) {
    steps.push_back(stepOf(Kind::SplitWords));
}

void readWhitespaceSplit(const JsonView&, Steps& steps) {
    steps.push_back(splitAt(isWhiteSpace, Behavior::Removed));
}

void readBert(const JsonView&, Steps& steps) {
    steps.push_back(splitAt(isWhiteSpace, Behavior::Removed));
    steps.push_back(splitAt(isPunctuation, Behavior::Isolated));
}

void readDelimiter(const JsonView& json, Steps& steps) {
    steps.push_back(splitAt(oneCharacter(json, "delimiter", ""), Behavior::Removed));
}

struct Reader {
    std::string_view type;
    void (*read)(const JsonView& json, Steps& steps);
};

constexpr std::array kReaders{Reader{"ByteLevel", readByteLevel},
                              Reader{"Metaspace", readMetaspace},
                              Reader{"Split", readSplit},
                              Reader{"Digits", readDigits},
                              Reader{"Punctuation", readPunctuation},
                              Reader{"Whitespace", readWhitespace},
                              Reader{"WhitespaceSplit", readWhitespaceSplit},
                              Reader{"BertPreTokenizer", readBert},
                              Reader{"CharDelimiterSplit", readDelimiter}};

}  // namespace

std::vector<PreTokenizerStep> readPreTokenizer(const JsonView& json) {
    Steps steps;
    forEachComponent(json, "pretokenizers", [&](const JsonView& step) {
        const std::string type = typeOf(step);
        const auto reader = std::ranges::find(kReaders, type, &Reader::type);
        if (reader == kReaders.end()) step.unsupported(fmt::format("pre-tokenizer '{}' is not supported", type));
        reader->read(step, steps);
    });
    return steps;
}

}  // namespace wb::core
