// SPDX-License-Identifier: Apache-2.0
#include "core/text/gguf_vocabulary_json.h"

#include "core/format/json_reader.h"
#include "core/format/mapped_file.h"
#include "core/text/tokenizer/sentencepiece_model.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <unordered_map>

namespace wb::core {
namespace {

using nlohmann::json;

constexpr size_t kMaxJsonBytes = size_t{256} << 20;
constexpr int64_t kMaxTokens = 1 << 22;
constexpr auto kNormal = static_cast<int32_t>(PieceType::Normal);

[[noreturn]] void failCorrupt(const std::string& source, const std::string& what) {
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: {}", source, what)};
}

[[noreturn]] void refuse(const std::string& source, const std::string& what) {
    throw Error{ErrorCode::Unsupported, fmt::format("{}: {} has no form in GGUF; export as safetensors", source, what)};
}

// The value under a path of keys, or null.
const json& at(const json& value, std::initializer_list<const char*> path) {
    static const json kNull;
    const json* here = &value;
    for (const char* key : path) {
        if (!here->is_object()) return kNull;
        const auto found = here->find(key);
        if (found == here->end()) return kNull;
        here = &*found;
    }
    return *here;
}

std::string textAt(const json& value, std::initializer_list<const char*> path) {
    const json& found = at(value, path);
    return found.is_string() ? found.get<std::string>() : std::string();
}

bool truthAt(const json& value, const char* key, bool otherwise) {
    const json& found = at(value, {key});
    return found.is_boolean() ? found.get<bool>() : otherwise;
}

void placeTokens(const json& vocab, const std::string& source, GgufVocabulary& vocabulary) {
    if (!vocab.is_object()) failCorrupt(source, "'vocab' is no object of tokens and ids");
    for (const auto& [token, id] : vocab.items()) {
        if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= kMaxTokens) {
            failCorrupt(source, fmt::format("token '{}' has no usable id", token));
        }
        const auto index = id.get<size_t>();
        vocabulary.growTo(index + 1);
        vocabulary.tokens[index] = token;
        vocabulary.types[index] = kNormal;
    }
}

using MergePair = std::pair<std::string, std::string>;

std::vector<MergePair> readMerges(const json& merges, const std::string& source) {
    if (!merges.is_array()) failCorrupt(source, "'merges' is no list");
    std::vector<MergePair> pairs;
    for (const json& merge : merges) {
        if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
            pairs.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
            continue;
        }
        const std::string text = merge.is_string() ? merge.get<std::string>() : std::string();
        const size_t space = text.find(' ');
        if (space == std::string::npos) failCorrupt(source, fmt::format("merge {} is no pair", pairs.size()));
        pairs.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
    return pairs;
}

struct SplitRule {
    std::string_view pattern;
    std::string_view name;
    bool ignoresMerges = false;  // what llama.cpp does under this name
};

constexpr std::array kSplitRules{
    SplitRule{
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        "llama-bpe", true},
    SplitRule{
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        "qwen2"},
};

bool isByteLevel(const json& step, bool splits) {
    return textAt(step, {"type"}) == "ByteLevel" && !truthAt(step, "add_prefix_space", true) &&
           truthAt(step, "use_regex", true) == splits;
}

// The name that llama.cpp has for a way of cutting text into words.
SplitRule splitRuleOf(const json& preTokenizer, const std::string& source) {
    constexpr SplitRule kGpt2{"", "gpt-2"};
    if (isByteLevel(preTokenizer, true)) return kGpt2;
    const json& steps = at(preTokenizer, {"pretokenizers"});
    if (steps.is_array() && steps.size() == 2) {
        const bool isDigits = textAt(steps[0], {"type"}) == "Digits" && truthAt(steps[0], "individual_digits", false);
        if (isDigits && isByteLevel(steps[1], true)) return {"", "smollm"};
        const std::string pattern = textAt(steps[0], {"pattern", "Regex"});
        const bool isIsolated = textAt(steps[0], {"type"}) == "Split" && textAt(steps[0], {"behavior"}) == "Isolated" &&
                                !truthAt(steps[0], "invert", false);
        const auto known = std::ranges::find(kSplitRules, std::string_view(pattern), &SplitRule::pattern);
        if (isIsolated && isByteLevel(steps[1], false) && known != kSplitRules.end()) return *known;
    }
    refuse(source, fmt::format("the splitting rule '{}'", preTokenizer.dump(-1, ' ', true).substr(0, 120)));
}

void requireNormalizer(const json& normalizer, const std::string& source) {
    // llama.cpp leaves composing characters to the caller, as its own converter does.
    const std::string type = textAt(normalizer, {"type"});
    if (!normalizer.is_null() && type != "NFC") refuse(source, fmt::format("the normaliser '{}'", type));
}

GgufVocabulary byteLevelVocabulary(const json& root, const std::string& source) {
    const json& model = at(root, {"model"});
    GgufVocabulary vocabulary;
    vocabulary.kind = "gpt2";
    requireNormalizer(at(root, {"normalizer"}), source);
    const SplitRule rule = splitRuleOf(at(root, {"pre_tokenizer"}), source);
    if (truthAt(model, "ignore_merges", false) != rule.ignoresMerges) {
        refuse(source, fmt::format("'ignore_merges' {} with the splitting rule '{}'", !rule.ignoresMerges, rule.name));
    }
    vocabulary.pre = rule.name;
    placeTokens(at(model, {"vocab"}), source, vocabulary);
    for (const MergePair& pair : readMerges(at(model, {"merges"}), source)) {
        vocabulary.merges.push_back(pair.first + " " + pair.second);
    }
    return vocabulary;
}

// SentencePiece merges whatever gives the best-scored token; a list of merges says the same if the score falls with the
// place in the list, and if no pair that would give a token is missing from it. Both are checked, so that a vocabulary
// with merges of another kind is not taken for one of these.
void scoreByMerges(const std::vector<MergePair>& merges, const std::string& source, GgufVocabulary& vocabulary) {
    std::unordered_map<std::string_view, size_t> idOf;
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) idOf.emplace(vocabulary.tokens[id], id);
    std::unordered_map<std::string, size_t> rankOfPair;
    std::vector<size_t> rankOfToken(vocabulary.tokens.size(), SIZE_MAX);
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        const auto& [left, right] = merges[rank];
        const auto found = idOf.find(left + right);
        if (found == idOf.end()) failCorrupt(source, fmt::format("merge {} gives no token", rank));
        rankOfToken[found->second] = std::min(rankOfToken[found->second], rank);
        rankOfPair.emplace(left + '\0' + right, rank);
    }
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        if (rankOfToken[id] == SIZE_MAX) continue;
        vocabulary.scores[id] = -static_cast<float>(rankOfToken[id]);
        const std::string_view token = vocabulary.tokens[id];
        for (size_t cut = 1; cut < token.size(); ++cut) {
            const std::string left(token.substr(0, cut));
            const std::string right(token.substr(cut));
            const bool couldMerge = idOf.contains(left) && idOf.contains(right);
            if (couldMerge && !rankOfPair.contains(left + '\0' + right)) {
                refuse(source, fmt::format("a list of merges without '{}' + '{}', which SentencePiece would merge,",
                                           left, right));
            }
        }
    }
}

// Whether the pipeline is that of a SentencePiece model, with spaces marked; and whether it puts one in front.
std::optional<bool> spacePrefixOf(const json& root) {
    const json& preTokenizer = at(root, {"pre_tokenizer"});
    if (textAt(preTokenizer, {"type"}) == "Metaspace") {
        const std::string scheme = textAt(preTokenizer, {"prepend_scheme"});
        return scheme.empty() ? truthAt(preTokenizer, "add_prefix_space", true) : scheme != "never";
    }
    const json& normalizer = at(root, {"normalizer"});
    const json& steps = at(normalizer, {"normalizers"});
    std::vector<json> list = steps.is_array() ? steps.get<std::vector<json>>() : std::vector<json>{normalizer};
    bool marksSpaces = false;
    bool prepends = false;
    for (const json& step : list) {
        if (textAt(step, {"type"}) == "Prepend" && textAt(step, {"prepend"}) == "\u2581") prepends = true;
        if (textAt(step, {"type"}) == "Replace" && textAt(step, {"content"}) == "\u2581") marksSpaces = true;
    }
    return marksSpaces ? std::optional(prepends) : std::nullopt;
}

GgufVocabulary sentencePieceVocabulary(const json& root, const std::string& source) {
    const json& model = at(root, {"model"});
    GgufVocabulary vocabulary;
    vocabulary.kind = "llama";
    vocabulary.pre = "default";
    vocabulary.addsSpacePrefix = spacePrefixOf(root);
    if (!vocabulary.addsSpacePrefix) refuse(source, "a BPE model that neither works on bytes nor marks spaces");
    placeTokens(at(model, {"vocab"}), source, vocabulary);
    scoreByMerges(readMerges(at(model, {"merges"}), source), source, vocabulary);
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const std::string& token = vocabulary.tokens[id];
        const bool isByte = token.size() == 6 && token.starts_with("<0x") && token.back() == '>';
        if (isByte) vocabulary.types[id] = static_cast<int32_t>(PieceType::Byte);
        if (token == textAt(model, {"unk_token"})) {
            vocabulary.types[id] = static_cast<int32_t>(PieceType::Unknown);
            vocabulary.unkId = static_cast<int32_t>(id);
        }
    }
    return vocabulary;
}

void addedTokens(const json& root, const std::string& source, GgufVocabulary& vocabulary) {
    const json& added = at(root, {"added_tokens"});
    if (!added.is_array()) return;
    for (const json& token : added) {
        const json& id = at(token, {"id"});
        if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= kMaxTokens) {
            failCorrupt(source, "an added token has no usable id");
        }
        const auto index = id.get<size_t>();
        vocabulary.growTo(index + 1);
        vocabulary.tokens[index] = textAt(token, {"content"});
        const auto type = static_cast<PieceType>(vocabulary.types[index]);
        if (type == PieceType::Unknown || type == PieceType::Byte) continue;
        const bool isSpecial = truthAt(token, "special", false);
        vocabulary.types[index] = static_cast<int32_t>(isSpecial ? PieceType::Control : PieceType::UserDefined);
    }
}

// A template that begins or ends with a special token adds it to every text.
void templateRoles(const json& processor, GgufVocabulary& vocabulary) {
    const json& steps = at(processor, {"processors"});
    if (steps.is_array()) {
        for (const json& step : steps) templateRoles(step, vocabulary);
    }
    const json& single = at(processor, {"single"});
    if (textAt(processor, {"type"}) != "TemplateProcessing" || !single.is_array() || single.empty()) return;
    const auto roleOf = [&](const json& item) -> std::optional<int32_t> {
        const std::string token = textAt(item, {"SpecialToken", "id"});
        const auto found = std::ranges::find(vocabulary.tokens, token);
        if (token.empty() || found == vocabulary.tokens.end()) return std::nullopt;
        return static_cast<int32_t>(found - vocabulary.tokens.begin());
    };
    const auto first = roleOf(single.front());
    const auto last = single.size() > 1 ? roleOf(single.back()) : std::nullopt;
    vocabulary.addsBos = first.has_value();
    vocabulary.addsEos = last.has_value();
    if (first) vocabulary.bosId = first;
    if (last) vocabulary.eosId = last;
}

}  // namespace

void takeRolesFromTokenizerJson(const json& root, const std::string& sourceName, GgufVocabulary& vocabulary) {
    addedTokens(root, sourceName, vocabulary);
    templateRoles(at(root, {"post_processor"}), vocabulary);
}

GgufVocabulary vocabularyOfTokenizerJson(const json& root, const std::string& sourceName) {
    const json& model = at(root, {"model"});
    const std::string type = textAt(model, {"type"});
    if (!model.is_object()) failCorrupt(sourceName, "'model' is missing");
    if (!type.empty() && type != "BPE") {
        refuse(sourceName, fmt::format("a {} model without its SentencePiece file", type));
    }
    const std::string preTokenizer = at(root, {"pre_tokenizer"}).dump(-1, ' ', true);
    const bool isByteLevelModel = preTokenizer.find("ByteLevel") != std::string::npos;
    GgufVocabulary vocabulary =
        isByteLevelModel ? byteLevelVocabulary(root, sourceName) : sentencePieceVocabulary(root, sourceName);
    takeRolesFromTokenizerJson(root, sourceName, vocabulary);
    return vocabulary;
}

GgufVocabulary vocabularyOfVocabAndMerges(const std::filesystem::path& vocab, const std::filesystem::path& merges) {
    GgufVocabulary vocabulary;
    vocabulary.kind = "gpt2";
    placeTokens(readJsonFile(vocab, kMaxJsonBytes), vocab.string(), vocabulary);
    const MappedFile file = MappedFile::open(merges);
    std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with("#version")) continue;
        if (line.find(' ') == std::string_view::npos) {
            failCorrupt(merges.string(), fmt::format("merge {} is no pair", vocabulary.merges.size()));
        }
        vocabulary.merges.emplace_back(line);
    }
    return vocabulary;
}

// Lines of base64, a space and a number.
bool isTiktokenFile(const std::filesystem::path& path) {
    const MappedFile file = MappedFile::open(path);
    constexpr size_t kLine = 512;
    const std::string_view head(reinterpret_cast<const char*>(file.bytes().data()),
                                std::min(file.bytes().size(), kLine));
    const size_t space = head.find(' ');
    if (space == 0 || space == std::string_view::npos) return false;
    const auto isBase64 = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
               c == '=';
    };
    const size_t next = space + 1;
    return std::ranges::all_of(head.substr(0, space), isBase64) && next < head.size() && head[next] >= '0' &&
           head[next] <= '9';
}

}  // namespace wb::core
