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

// What a tokenizer class means where the folder says no more.
struct ClassRule {
    // What stands around a text.
    enum class Around { Nothing, Eos, BosAndEos };

    std::string_view tokenizerClass;
    const char* splitRule;
    bool usesNfc;
    const char* bos;  // null: none
    const char* eos;
    Around around = Around::Nothing;
    bool addsPrefixSpace = false;
};

constexpr std::array kClassRules{
    ClassRule{"", "gpt-2", false, nullptr, "<|endoftext|>"},
    ClassRule{"GPT2Tokenizer", "gpt-2", false, nullptr, "<|endoftext|>"},
    ClassRule{"CodeGenTokenizer", "gpt-2", false, nullptr, "<|endoftext|>"},
    ClassRule{"GPTNeoXTokenizer", "gpt-2", true, nullptr, "<|endoftext|>"},
    ClassRule{"Qwen2Tokenizer", "qwen2", true, nullptr, "<|endoftext|>"},
    ClassRule{"BartTokenizer", "gpt-2", false, "<s>", "</s>", ClassRule::Around::BosAndEos},
    ClassRule{"RobertaTokenizer", "gpt-2", false, "<s>", "</s>", ClassRule::Around::BosAndEos},
    ClassRule{"BlenderbotTokenizer", "gpt-2", false, "<s>", "</s>", ClassRule::Around::Eos, true},
};

// The settings, with the class's own where they say nothing.
TokenizerSettings withDefaults(TokenizerSettings settings, const ClassRule& rule) {
    if (!settings.eosToken) settings.eosToken = rule.eos;
    if (!settings.addBos) settings.addBos = rule.around == ClassRule::Around::BosAndEos;
    if (!settings.addEos) settings.addEos = rule.around != ClassRule::Around::Nothing;
    if (!settings.addPrefixSpace) settings.addPrefixSpace = rule.addsPrefixSpace;
    if (rule.bos == nullptr) return settings;
    if (!settings.bosToken) settings.bosToken = rule.bos;
    if (!settings.padToken) settings.padToken = "<pad>";
    if (!settings.unkToken) settings.unkToken = "<unk>";
    return settings;
}

// Tokens with a role are special, and found in a text, even where no file lists them as added.
void addRoleTokens(const TokenizerSettings& settings, TokenizerPipeline& pipeline) {
    const auto add = [&](const std::optional<std::string>& name, bool stripsLeft) {
        const auto id = name ? idOfName(pipeline.tokens, *name) : std::nullopt;
        if (!id || std::ranges::find(pipeline.addedTokens, *id, &AddedToken::id) != pipeline.addedTokens.end()) return;
        pipeline.addedTokens.push_back({.id = *id, .content = *name, .isSpecial = true, .stripsLeft = stripsLeft});
    };
    for (const auto* role : {&settings.bosToken, &settings.eosToken, &settings.padToken, &settings.unkToken})
        add(*role, false);
    add("<mask>", true);
}

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
                                              const TokenizerSettings& stated) {
    const auto rule = std::ranges::find(kClassRules, stated.tokenizerClass, &ClassRule::tokenizerClass);
    if (rule == kClassRules.end()) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: how a '{}' splits words is not known; use its tokenizer.json", vocabFile.string(),
                                stated.tokenizerClass)};
    }
    const TokenizerSettings settings = withDefaults(stated, *rule);
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
    applyRoles(
        settings, [&](const std::string& name) { return idOfName(pipeline.tokens, name); }, pipeline.roles);
    addRoleTokens(settings, pipeline);
    return makePipelineTokenizer(std::move(pipeline), vocabFile.string());
}

}  // namespace wb::core
