// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/split_rules.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::core {

namespace {

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDigit = R"(\p{N})";
constexpr const char* kFalconSigns = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr const char* kThreeDigits = "[0-9][0-9][0-9]";

struct NamedRule {
    std::string_view name;
    std::array<const char*, 3> patterns;  // each applied to what the one before it leaves; null: none
};

constexpr const char* kGpt2 = kGpt2Pattern;

constexpr std::array kNamedRules{
    NamedRule{"gpt-2", {kGpt2}},
    NamedRule{"gpt2", {kGpt2}},
    NamedRule{"phi-2", {kGpt2}},
    NamedRule{"mpt", {kGpt2}},
    NamedRule{"olmo", {kGpt2}},
    NamedRule{"starcoder", {kDigit, kGpt2}},
    NamedRule{"refact", {kDigit, kGpt2}},
    NamedRule{"smollm", {kDigit, kGpt2}},
    NamedRule{"command-r", {kDigit, kGpt2}},
    NamedRule{"falcon", {kFalconSigns, kGpt2, kThreeDigits}},
    NamedRule{"llama-bpe", {kLlama3}},
    NamedRule{"llama3", {kLlama3}},
    NamedRule{"llama-v3", {kLlama3}},
    NamedRule{"falcon3", {kLlama3}},
    NamedRule{"dbrx", {kLlama3}},
    NamedRule{"qwen2", {kQwen2}},
    NamedRule{"stablelm2", {kQwen2}},
    NamedRule{"deepseek-r1-qwen", {kQwen2}},
};

}  // namespace

std::vector<PreTokenizerStep> splitRulesNamed(std::string_view name, std::string_view sourceName) {
    const auto rule = std::ranges::find(kNamedRules, name, &NamedRule::name);
    if (rule == kNamedRules.end()) {
        std::vector<std::string_view> names;
        for (const NamedRule& known : kNamedRules) names.emplace_back(known.name);
        throw Error{ErrorCode::Unsupported, fmt::format("{}: the splitting rule '{}' is not known; known are {}",
                                                        sourceName, name, fmt::join(names, ", "))};
    }
    std::vector<PreTokenizerStep> steps;
    for (const char* pattern : rule->patterns) {
        if (pattern != nullptr) steps.push_back(splitAt(Regex(pattern, sourceName)));
    }
    return steps;
}

}  // namespace wb::core
