// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/vocab_and_merges.h"

#include "core/format/mapped_file.h"
#include "core/text/tokenizer/json/readers.h"
#include "core/text/tokenizer/models/bpe_model.h"
#include "core/text/tokenizer/split_rules.h"
#include "core/text/utf8.h"

#include <algorithm>
#include <array>

namespace wb::core {
namespace {

constexpr size_t kMaxBytes = size_t{256} << 20;

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

std::vector<std::string> readVocabularyFile(const std::filesystem::path& file) {
    const std::string json = readTextFile(file, kMaxBytes);
    simdjson::dom::parser parser;
    const JsonView root = JsonView::parse(parser, json, file.string());
    std::vector<std::string> tokens = readVocabulary(root);
    if (tokens.empty()) root.fail("holds no tokens");
    return tokens;
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
    TokenizerPipeline pipeline;
    BpeSettings model;
    model.readsBytes = true;
    pipeline.kind = "bpe-byte-level";
    pipeline.tokens = readVocabularyFile(vocabFile);
    readMerges(mergesFile, model.merges);
    pipeline.model = std::make_unique<BpeModel>(pipeline.tokens, model, vocabFile.string());
    pipeline.decoder.emplace_back().kind = DecoderStep::Kind::ByteLevel;
    if (rule->usesNfc) pipeline.normalizer.emplace_back().kind = NormalizerStep::Kind::Nfc;
    if (settings.addPrefixSpace.value_or(false)) pipeline.preTokenizer.push_back(prefixWith(" "));
    for (PreTokenizerStep& step : splitRulesNamed(rule->splitRule, vocabFile.string()))
        pipeline.preTokenizer.push_back(std::move(step));
    pipeline.addedTokens = settings.addedTokens;
    addNames(pipeline.addedTokens, pipeline.tokens, vocabFile.string());
    // GPT-2 has one special token for everything; it is named where no settings name another.
    TokenizerSettings named = settings;
    if (!named.eosToken) named.eosToken = "<|endoftext|>";
    if (!named.addBos) named.addBos = false;
    applyRoles(
        named, [&](const std::string& name) { return idOfName(pipeline.tokens, name); }, pipeline.roles);
    const auto eos = pipeline.roles.eos;
    if (eos && std::ranges::find(pipeline.addedTokens, *eos, &AddedToken::id) == pipeline.addedTokens.end())
        pipeline.addedTokens.push_back({.id = *eos, .content = *named.eosToken, .isSpecial = true});
    return makePipelineTokenizer(std::move(pipeline), vocabFile.string());
}

}  // namespace wb::core
