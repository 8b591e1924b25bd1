// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/tokenizer_json_parts.h"

#include <array>

namespace wb::core {
namespace {

constexpr int64_t kMaxId = (int64_t{1} << 22) - 1;
constexpr int kMaxNesting = 8;                                    // of Sequence within Sequence
constexpr std::string_view kDefaultSpaceSymbol = "\xE2\x96\x81";  // U+2581
constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string typeOf(const JsonView& json) {
    return std::string(json.at("type").text());
}

// Visits a component, or each one of a Sequence of them, in order.
template <class Visit>
void forEachComponent(const JsonView& json, std::string_view listKey, const Visit& visit, int depth = 0) {
    if (typeOf(json) != "Sequence") return visit(json);
    if (depth == kMaxNesting) json.fail(fmt::format("nests more than {} sequences", kMaxNesting));
    const JsonView list = json.at(listKey);
    size_t index = 0;
    for (const simdjson::dom::element element : list.array()) {
        forEachComponent(JsonView(element, fmt::format("{}[{}]", list.path(), index++)), listKey, visit, depth + 1);
    }
}

// {"String": text} or {"Regex": pattern}.
Regex readPattern(const JsonView& json) {
    if (const auto text = json.find("String")) {
        if (text->text().empty()) text->fail("is empty");
        return Regex(Regex::escape(text->text()), text->path());
    }
    const JsonView pattern = json.at("Regex");
    return Regex(pattern.text(), pattern.path());
}

NormalizerStep stepOf(NormalizerStep::Kind kind) {
    NormalizerStep step;
    step.kind = kind;
    return step;
}

void readNormalizerStep(const JsonView& json, std::vector<NormalizerStep>& steps) {
    using Kind = NormalizerStep::Kind;
    struct Named {
        std::string_view type;
        Kind kind;
    };
    constexpr std::array kNamed{Named{"NFC", Kind::Nfc},
                                Named{"NFD", Kind::Nfd},
                                Named{"NFKC", Kind::Nfkc},
                                Named{"NFKD", Kind::Nfkd},
                                Named{"Lowercase", Kind::Lowercase},
                                Named{"StripAccents", Kind::StripAccents},
                                Named{"Strip", Kind::Strip},
                                Named{"Replace", Kind::Replace},
                                Named{"Prepend", Kind::Prepend}};
    const std::string type = typeOf(json);
    const auto named = std::ranges::find(kNamed, type, &Named::type);
    if (named == kNamed.end()) json.unsupported(fmt::format("normaliser '{}' is not supported", type));
    NormalizerStep step = stepOf(named->kind);
    if (step.kind == Kind::Strip) {
        step.stripsLeft = json.booleanOr("strip_left", true);
        step.stripsRight = json.booleanOr("strip_right", true);
    } else if (step.kind == Kind::Replace) {
        step.pattern = readPattern(json.at("pattern"));
        step.content = json.at("content").text();
    } else if (step.kind == Kind::Prepend) {
        step.content = json.at("prepend").text();
    }
    steps.push_back(std::move(step));
}

PreTokenizerStep splitStep(Regex pattern, PreTokenizerStep::Behavior behavior) {
    PreTokenizerStep step;
    step.pattern = std::move(pattern);
    step.behavior = behavior;
    return step;
}

PreTokenizerStep::Behavior readBehavior(const JsonView& json, std::string_view fallback) {
    using Behavior = PreTokenizerStep::Behavior;
    struct Named {
        std::string_view name;
        Behavior behavior;
    };
    constexpr std::array kNamed{Named{"Removed", Behavior::Removed}, Named{"Isolated", Behavior::Isolated},
                                Named{"MergedWithPrevious", Behavior::MergedWithPrevious},
                                Named{"MergedWithNext", Behavior::MergedWithNext},
                                Named{"Contiguous", Behavior::Contiguous}};
    const std::string name = json.textOr("behavior", fallback);
    const auto named = std::ranges::find(kNamed, name, &Named::name);
    if (named == kNamed.end()) json.unsupported(fmt::format("splitting behaviour '{}' is not known", name));
    return named->behavior;
}

void readByteLevel(const JsonView& json, BpeDefinition& definition) {
    definition.vocabulary.isByteLevel = true;
    if (json.booleanOr("add_prefix_space", true)) {
        PreTokenizerStep prefix;
        prefix.kind = PreTokenizerStep::Kind::Prefix;
        prefix.content = " ";
        definition.preTokenizer.push_back(std::move(prefix));
    }
    if (json.booleanOr("use_regex", true)) {
        definition.preTokenizer.push_back(
            splitStep(Regex(kGpt2Pattern, json.path()), PreTokenizerStep::Behavior::Isolated));
    }
}

// "always", "first" or "never"; older files say add_prefix_space.
std::string prependScheme(const JsonView& json) {
    if (const auto scheme = json.find("prepend_scheme")) return std::string(scheme->text());
    return json.booleanOr("add_prefix_space", true) ? "always" : "never";
}

void readMetaspace(const JsonView& json, BpeDefinition& definition) {
    const std::string symbol = json.textOr("replacement", kDefaultSpaceSymbol);
    // Spaces become the symbol here, behind the added tokens; as a last step of normalising that is the same.
    NormalizerStep replace = stepOf(NormalizerStep::Kind::Replace);
    replace.pattern.emplace(Regex::escape(" "), json.path());
    replace.content = symbol;
    definition.normalizer.push_back(std::move(replace));
    const std::string scheme = prependScheme(json);
    if (scheme != "never") {
        if (scheme != "always" && scheme != "first")
            json.unsupported(fmt::format("prepend scheme '{}' is not known", scheme));
        PreTokenizerStep prefix;
        prefix.kind = PreTokenizerStep::Kind::Prefix;
        prefix.content = symbol;
        prefix.when = scheme == "first" ? PreTokenizerStep::When::AtStartOfInput : PreTokenizerStep::When::Always;
        definition.preTokenizer.push_back(std::move(prefix));
    }
    if (json.booleanOr("split", true)) {
        definition.preTokenizer.push_back(
            splitStep(Regex(Regex::escape(symbol), json.path()), PreTokenizerStep::Behavior::MergedWithNext));
    }
}

void readPreTokenizerStep(const JsonView& json, BpeDefinition& definition) {
    using Behavior = PreTokenizerStep::Behavior;
    const std::string type = typeOf(json);
    auto& steps = definition.preTokenizer;
    if (type == "ByteLevel") {
        readByteLevel(json, definition);
    } else if (type == "Metaspace") {
        readMetaspace(json, definition);
    } else if (type == "Split") {
        PreTokenizerStep step = splitStep(readPattern(json.at("pattern")), readBehavior(json, "Isolated"));
        step.isInverted = json.booleanOr("invert", false);
        steps.push_back(std::move(step));
    } else if (type == "Digits") {
        const bool isIndividual = json.booleanOr("individual_digits", false);
        steps.push_back(
            splitStep(Regex(R"(\p{N})", json.path()), isIndividual ? Behavior::Isolated : Behavior::Contiguous));
    } else if (type == "Punctuation") {
        steps.push_back(splitStep(Regex(R"([!-/:-@\[-`{-~]|\p{P})", json.path()), readBehavior(json, "Isolated")));
    } else if (type == "Whitespace") {
        PreTokenizerStep step = splitStep(Regex(R"(\w+|[^\w\s]+)", json.path()), Behavior::Removed);
        step.isInverted = true;
        steps.push_back(std::move(step));
    } else if (type == "WhitespaceSplit") {
        steps.push_back(splitStep(Regex(R"(\s)", json.path()), Behavior::Removed));
    } else {
        json.unsupported(fmt::format("pre-tokenizer '{}' is not supported", type));
    }
}

void readStrip(const JsonView& json, BpeDefinition& definition) {
    const bool isOneLeadingSpace = json.textOr("content", " ") == " " && json.at("start").integer(0, 1000) == 1 &&
                                   json.at("stop").integer(0, 1000) == 0;
    if (!isOneLeadingSpace) json.unsupported("decoder 'Strip' is supported for one leading space only");
    definition.decodeRules.firstSpace = DecodeRules::FirstSpace::DropOne;
}

void readDecoderStep(const JsonView& json, BpeDefinition& definition) {
    const std::string type = typeOf(json);
    if (type == "ByteLevel") {
        definition.tokenText = BpeDefinition::TokenText::ByteAlphabet;
    } else if (type == "Replace") {
        const auto pattern = json.at("pattern").find("String");
        const bool isSpace = pattern && json.at("content").text() == " " && definition.spaceSymbol.empty();
        if (!isSpace) json.unsupported("decoder 'Replace' is supported for one symbol that stands for a space only");
        definition.spaceSymbol = pattern->text();
    } else if (type == "Metaspace") {
        definition.spaceSymbol = json.textOr("replacement", kDefaultSpaceSymbol);
        if (prependScheme(json) != "never") definition.decodeRules.firstSpace = DecodeRules::FirstSpace::DropOne;
    } else if (type == "ByteFallback") {
        definition.decodesByteNames = true;
        definition.decodeRules.invalidBytes = DecodeRules::InvalidBytes::WholeRun;
    } else if (type == "Strip") {
        readStrip(json, definition);
    } else if (type != "Fuse") {
        json.unsupported(fmt::format("decoder '{}' is not supported", type));
    }
}

// The ids of a special token in a template, which must be one.
TokenId templateToken(const JsonView& json, const std::string& name) {
    const JsonView ids = json.at("special_tokens").at(name).at("ids");
    if (ids.array().size() != 1) ids.unsupported("a special token of several ids is not supported");
    return static_cast<TokenId>(JsonView(ids.array().at(0), ids.path()).integer(0, kMaxId));
}

void readTemplate(const JsonView& json, SpecialIds& roles) {
    bool isBehindText = false;
    const JsonView single = json.at("single");
    for (const simdjson::dom::element element : single.array()) {
        const JsonView item(element, single.path());
        const auto special = item.find("SpecialToken");
        if (!special) {
            isBehindText = true;
            continue;
        }
        const TokenId id = templateToken(json, std::string(special->at("id").text()));
        bool& isAdded = isBehindText ? roles.addEos : roles.addBos;
        if (isAdded) single.unsupported("more than one special token on one side of the text is not supported");
        (isBehindText ? roles.eos : roles.bos) = id;
        isAdded = true;
    }
}

// RobertaProcessing and BertProcessing: {"cls": ["<s>", 0], "sep": ["</s>", 2]}.
void readClassSeparator(const JsonView& json, SpecialIds& roles) {
    const auto idOf = [&](std::string_view key) {
        const JsonView pair = json.at(key);
        if (pair.array().size() != 2) pair.fail("is no pair of token and id");
        return static_cast<TokenId>(JsonView(pair.array().at(1), pair.path()).integer(0, kMaxId));
    };
    roles.bos = idOf("cls");
    roles.eos = idOf("sep");
    roles.addBos = roles.addEos = true;
}

void readVocabulary(const JsonView& json, std::vector<std::string>& tokens) {
    const JsonView vocabulary = json.at("vocab");
    for (const auto& [token, value] : vocabulary.object()) {
        const JsonView item(value, fmt::format("{} '{}'", vocabulary.path(), token));
        const auto id = static_cast<size_t>(item.integer(0, kMaxId));
        if (id >= tokens.size()) tokens.resize(id + 1);
        if (token.empty()) item.fail("is an empty token");
        if (!tokens[id].empty()) item.fail(fmt::format("has the id {} of '{}'", id, tokens[id]));
        tokens[id] = token;
    }
}

void readMerges(const JsonView& json, std::vector<std::pair<std::string, std::string>>& merges) {
    const JsonView list = json.at("merges");
    const simdjson::dom::array array = list.array();
    for (const simdjson::dom::element element : array) {
        std::string_view text;
        simdjson::dom::array pair;
        if (element.get(text) == simdjson::SUCCESS) {
            const size_t space = text.find(' ');
            if (space == std::string_view::npos) list.fail(fmt::format("has the entry '{}', which is no pair", text));
            merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        } else if (element.get(pair) == simdjson::SUCCESS && pair.size() == 2) {
            const JsonView left(pair.at(0), list.path());
            const JsonView right(pair.at(1), list.path());
            merges.emplace_back(left.text(), right.text());
        } else {
            list.fail(fmt::format("has an entry {} that is no pair", merges.size()));
        }
    }
}

}  // namespace

std::vector<AddedToken> readAddedTokens(const JsonView& list) {
    std::vector<AddedToken> tokens;
    for (const simdjson::dom::element element : list.array()) {
        const JsonView json(element, fmt::format("{}[{}]", list.path(), tokens.size()));
        AddedToken token;
        token.id = static_cast<TokenId>(json.at("id").integer(0, kMaxId));
        token.content = json.at("content").text();
        token.isSpecial = json.booleanOr("special", false);
        token.isNormalized = json.booleanOr("normalized", !token.isSpecial);
        token.isSingleWord = json.booleanOr("single_word", false);
        token.stripsLeft = json.booleanOr("lstrip", false);
        token.stripsRight = json.booleanOr("rstrip", false);
        tokens.push_back(std::move(token));
    }
    return tokens;
}

void readNormalizer(const JsonView& json, BpeDefinition& definition) {
    forEachComponent(json, "normalizers",
                     [&](const JsonView& step) { readNormalizerStep(step, definition.normalizer); });
}

void readPreTokenizer(const JsonView& json, BpeDefinition& definition) {
    forEachComponent(json, "pretokenizers", [&](const JsonView& step) { readPreTokenizerStep(step, definition); });
}

void readDecoder(const JsonView& json, BpeDefinition& definition) {
    definition.tokenText = BpeDefinition::TokenText::SpaceSymbol;
    forEachComponent(json, "decoders", [&](const JsonView& step) { readDecoderStep(step, definition); });
}

void readPostProcessor(const JsonView& json, BpeDefinition& definition) {
    forEachComponent(json, "processors", [&](const JsonView& step) {
        const std::string type = typeOf(step);
        if (type == "TemplateProcessing")
            readTemplate(step, definition.roles);
        else if (type == "RobertaProcessing" || type == "BertProcessing")
            readClassSeparator(step, definition.roles);
        else if (type != "ByteLevel")
            step.unsupported(fmt::format("post-processor '{}' is not supported", type));
    });
}

void readBpeModel(const JsonView& json, BpeDefinition& definition) {
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!json.textOr(key, "").empty()) json.unsupported(fmt::format("'{}' is not supported", key));
    }
    BpeVocabulary& vocabulary = definition.vocabulary;
    readVocabulary(json, vocabulary.tokens);
    readMerges(json, vocabulary.merges);
    vocabulary.hasByteFallback = json.booleanOr("byte_fallback", false);
    vocabulary.fusesUnknown = json.booleanOr("fuse_unk", false);
    vocabulary.ignoresMerges = json.booleanOr("ignore_merges", false);
    const std::string unknown = json.textOr("unk_token", "");
    if (unknown.empty()) return;
    const auto token = std::ranges::find(vocabulary.tokens, unknown);
    if (token == vocabulary.tokens.end())
        json.fail(fmt::format("names the unknown token '{}', which is no token", unknown));
    vocabulary.unkId = static_cast<TokenId>(token - vocabulary.tokens.begin());
    definition.roles.unk = vocabulary.unkId;
}

}  // namespace wb::core
