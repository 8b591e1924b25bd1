// SPDX-License-Identifier: Apache-2.0
#include "adapters/lora_config.h"

#include "core/text/tokenizer/regex.h"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace wb::adapters {
namespace {

constexpr const char* kSource = "adapter configuration";

core::Regex wholeName(const std::string& expression) {
    return core::Regex("\\A(?:" + expression + ")\\z", kSource);
}

bool matches(const core::Regex& expression, const std::string& name) {
    return !expression.findAll(name).empty();
}

bool endsWithPart(const std::string& name, const std::string& ending) {
    return name == ending || name.ends_with("." + ending);
}

bool isListed(const std::vector<std::string>& endings, const std::string& name) {
    return std::ranges::any_of(endings, [&name](const std::string& ending) { return endsWithPart(name, ending); });
}

template <class Value>
struct PatternRow {
    core::Regex expression;
    Value value;
};

template <class Value>
std::vector<PatternRow<Value>> compile(const std::vector<std::pair<std::string, Value>>& pattern) {
    std::vector<PatternRow<Value>> rows;
    for (const auto& [expression, value] : pattern)
        rows.push_back({wholeName(fmt::format("(.*\\.)?({})", expression)), value});
    return rows;
}

template <class Value>
Value firstMatch(const std::vector<PatternRow<Value>>& rows, const std::string& name, Value otherwise) {
    const auto found =
        std::ranges::find_if(rows, [&name](const PatternRow<Value>& row) { return matches(row.expression, name); });
    return found != rows.end() ? found->value : otherwise;
}

}  // namespace

double LoraConfig::scaleOf(int64_t ownRank, double ownAlpha) const {
    const auto divisor = static_cast<double>(ownRank);
    return ownAlpha / (usesRankStabilisedScale ? std::sqrt(divisor) : divisor);
}

std::vector<std::string> namesIn(const std::string& text) {
    std::vector<std::string> names;
    std::string word;
    for (const char c : text + ",") {
        if (c != ',' && c != ' ') {
            word += c;
        } else if (!word.empty()) {
            names.push_back(std::exchange(word, {}));
        }
    }
    return names;
}

void setTargets(LoraConfig& config, const std::string& text) {
    config.targets.clear();
    config.targetExpression.clear();
    if (text.find_first_of("\\^$*+?()[]{}|") != std::string::npos) {
        config.targetExpression = text;
    } else {
        config.targets = namesIn(text);
    }
}

struct ModuleMatcher::Patterns {
    explicit Patterns(const LoraConfig& lora) : config(lora) {
        if (!lora.targetExpression.empty()) target = wholeName(lora.targetExpression);
        if (!lora.excludedExpression.empty()) excluded = wholeName(lora.excludedExpression);
        for (const std::string& module : lora.savedModules)
            saved.push_back(wholeName(fmt::format("(.*\\.)?{}(\\..*)?", module)));
        // The number of a block: the first numeral between dots behind the name of the list. \K leaves it as the match.
        if (lora.layerPatterns.empty()) layerNumbers.emplace_back("\\A.*?\\.[^.]*\\.\\K\\d+(?=\\.)", kSource);
        for (const std::string& list : lora.layerPatterns)
            layerNumbers.emplace_back(fmt::format("\\A(?:^|.*?\\.)(?:{})\\.\\K\\d+(?=\\.)", list), kSource);
        ranks = compile(lora.rankPattern);
        alphas = compile(lora.alphaPattern);
    }

    std::optional<int64_t> blockOf(const std::string& module) const {
        for (const core::Regex& expression : layerNumbers) {
            const std::vector<core::ByteRange> found = expression.findAll(module);
            if (found.empty()) continue;
            int64_t number = -1;
            std::from_chars(module.data() + found.front().begin, module.data() + found.front().end, number);
            return number;
        }
        return std::nullopt;
    }

    LoraConfig config;
    std::optional<core::Regex> target;
    std::optional<core::Regex> excluded;
    std::vector<core::Regex> saved;
    std::vector<core::Regex> layerNumbers;
    std::vector<PatternRow<int64_t>> ranks;
    std::vector<PatternRow<double>> alphas;
};

ModuleMatcher::ModuleMatcher(const LoraConfig& config) : m_patterns(std::make_unique<Patterns>(config)) {}
ModuleMatcher::ModuleMatcher(ModuleMatcher&&) noexcept = default;
ModuleMatcher::~ModuleMatcher() = default;

bool ModuleMatcher::isTarget(const std::string& module, bool isProjection) const {
    const Patterns& patterns = *m_patterns;
    const LoraConfig& config = patterns.config;
    if (isListed(config.excluded, module)) return false;
    if (patterns.excluded && matches(*patterns.excluded, module)) return false;
    if (isSaved(module)) return false;
    if (patterns.target) return matches(*patterns.target, module);
    if (std::ranges::find(config.targets, LoraConfig::kAllLinear) != config.targets.end()) return isProjection;
    // A module named in full is meant wherever it is.
    if (std::ranges::find(config.targets, module) != config.targets.end()) return true;
    if (!isListed(config.targets, module)) return false;
    if (config.layers.empty()) return true;
    const std::optional<int64_t> block = patterns.blockOf(module);
    return block && std::ranges::find(config.layers, *block) != config.layers.end();
}

bool ModuleMatcher::isSaved(const std::string& module) const {
    return std::ranges::any_of(m_patterns->saved,
                               [&module](const core::Regex& expression) { return matches(expression, module); });
}

bool ModuleMatcher::savesWhole(const std::string& module) const {
    const std::vector<std::string>& endings = m_patterns->config.savedModules;
    for (std::string around = module; !around.empty();) {
        if (std::ranges::any_of(endings, [&around](const std::string& end) { return around.ends_with(end); }))
            return true;
        const size_t dot = around.rfind('.');
        around = dot == std::string::npos ? std::string() : around.substr(0, dot);
    }
    return false;
}

int64_t ModuleMatcher::rankOf(const std::string& module) const {
    return firstMatch(m_patterns->ranks, module, m_patterns->config.rank);
}

double ModuleMatcher::alphaOf(const std::string& module) const {
    return firstMatch(m_patterns->alphas, module, m_patterns->config.alpha);
}

}  // namespace wb::adapters
