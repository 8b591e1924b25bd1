// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/vocab_and_merges.h"

#include "core/format/mapped_file.h"
#include "core/text/tokenizer/bpe_tokenizer.h"
#include "core/text/tokenizer/json_view.h"
#include "core/text/utf8.h"

#include <algorithm>
#include <array>

namespace wb::core {
namespace {

constexpr size_t kMaxBytes = size_t{256} << 20;
constexpr int64_t kMaxId = (int64_t{1} << 22) - 1;

struct ClassRule {
    std::string_view tokenizerClass;
    const char* splitRule;
    bool usesNfc;
};

constexpr std::array kClassRules{
    ClassRule{"", "gpt-2", false},
    ClassRule{"GPT2Tokenizer", "gpt-2", false},
    ClassRule{"GPT2TokenizerFast", "gpt-2", false},
    ClassRule{"CodeGenTokenizer", "gpt-2", false},
    ClassRule{"GPTNeoXTokenizer", "gpt-2", true},
    ClassRule{"Qwen2Tokenizer", "qwen2", true},
    ClassRule{"Qwen2TokenizerFast", "qwen2", true},
};

void readVocabulary(const std::filesystem::path& file, std::vector<std::string>& tokens) {
    const std::string json = readTextFile(file, kMaxBytes);
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (const auto status = parser.parse(json).get(root); status != simdjson::SUCCESS) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: is not valid JSON: {}", file.string(), simdjson::error_message(status))};
    }
    const JsonView view(root, file.string());
    for (const auto& [token, value] : view.object()) {
        const JsonView item(value, fmt::format("{}: '{}'", file.string(), token));
        const auto id = static_cast<size_t>(item.integer(0, kMaxId));
        if (id >= tokens.size()) tokens.resize(id + 1);
        if (token.empty()) item.fail("is an empty token");
        if (!tokens[id].empty()) item.fail(fmt::format("has the id {} of '{}'", id, tokens[id]));
        tokens[id] = token;
    }
    if (tokens.empty()) view.fail("holds no tokens");
}

void readMerges(const std::filesystem::path& file, std::vector<std::pair<std::string, std::string>>& merges) {
    const std::string text = readTextFile(file, kMaxBytes);
    std::string_view rest = text;
    for (size_t number = 1; !rest.empty(); ++number) {
        const size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        // Only the first line is a comment: "#" is a token of the others.
        if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
        const size_t space = line.find(' ');
        if (space == std::string_view::npos || space == 0 || space + 1 == line.size()) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: line {} is no pair: '{}'", file.string(), number,
                                                            replaceInvalidUtf8(line.substr(0, 100)))};
        }
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
}

}  // namespace

std::unique_ptr<Tokenizer> openVocabAndMerges(const std::filesystem::path& vocabFile,
                                              const std::filesystem::path& mergesFile,
                                              const TokenizerSettings& settings) {
    const auto rule = std::ranges::find(kClassRules, settings.tokenizerClass, &ClassRule::tokenizerClass);
    if (rule == kClassRules.end()) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: how a '{}' splits words is not known; use its tokenizer.json", vocabFile.string(),
                                settings.tokenizerClass)};
    }
    BpeDefinition definition;
    definition.vocabulary.isByteLevel = true;
    readVocabulary(vocabFile, definition.vocabulary.tokens);
    readMerges(mergesFile, definition.vocabulary.merges);
    if (rule->usesNfc) definition.normalizer.emplace_back();
    if (settings.addPrefixSpace.value_or(false)) {
        PreTokenizerStep prefix;
        prefix.kind = PreTokenizerStep::Kind::Prefix;
        prefix.content = " ";
        definition.preTokenizer.push_back(std::move(prefix));
    }
    for (PreTokenizerStep& step : splitRulesNamed(rule->splitRule, vocabFile.string())) {
        definition.preTokenizer.push_back(std::move(step));
    }
    definition.addedTokens = settings.addedTokens;
    auto& tokens = definition.vocabulary.tokens;
    addNames(definition.addedTokens, tokens, vocabFile.string());
    const auto find = [&](const std::string& name) {
        const auto token = std::ranges::find(tokens, name);
        return token == tokens.end() ? std::nullopt : std::optional(static_cast<TokenId>(token - tokens.begin()));
    };
    // GPT-2 has one special token for everything; it is named where no settings name another.
    TokenizerSettings named = settings;
    if (!named.eosToken) named.eosToken = "<|endoftext|>";
    if (!named.addBos) named.addBos = false;
    applyRoles(named, find, definition.roles);
    if (definition.roles.eos && std::ranges::find(definition.addedTokens, *definition.roles.eos, &AddedToken::id) ==
                                    definition.addedTokens.end()) {
        definition.addedTokens.push_back({.id = *definition.roles.eos, .content = *named.eosToken, .isSpecial = true});
    }
    return makeBpeTokenizer(std::move(definition), vocabFile.string());
}

}  // namespace wb::core
