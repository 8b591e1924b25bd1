// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/pre_tokenizer.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

using Behavior = PreTokenizerStep::Behavior;

struct Segment {
    ByteRange range;
    bool isMatch = false;
};

// Matches and what lies between them, in order.
std::vector<Segment> segmentsOf(const std::vector<ByteRange>& matches, size_t length, bool isInverted) {
    std::vector<Segment> segments;
    size_t position = 0;
    for (const ByteRange& match : matches) {
        if (position < match.begin) segments.push_back({{position, match.begin}, isInverted});
        segments.push_back({match, !isInverted});
        position = match.end;
    }
    if (position < length) segments.push_back({{position, length}, isInverted});
    return segments;
}

// Joins each first match of a run to the segment that was before it in the direction of the walk.
std::vector<ByteRange> joinForward(const std::vector<Segment>& segments) {
    std::vector<ByteRange> words;
    bool wasMatch = false;
    for (const Segment& segment : segments) {
        if (segment.isMatch && !wasMatch && !words.empty())
            words.back().end = segment.range.end;
        else
            words.push_back(segment.range);
        wasMatch = segment.isMatch;
    }
    return words;
}

std::vector<ByteRange> joinBackward(const std::vector<Segment>& segments) {
    std::vector<ByteRange> words;
    bool wasMatch = false;
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
        if (segment->isMatch && !wasMatch && !words.empty())
            words.back().begin = segment->range.begin;
        else
            words.push_back(segment->range);
        wasMatch = segment->isMatch;
    }
    std::ranges::reverse(words);
    return words;
}

std::vector<ByteRange> wordsOf(const std::vector<Segment>& segments, Behavior behavior) {
    if (behavior == Behavior::MergedWithPrevious) return joinForward(segments);
    if (behavior == Behavior::MergedWithNext) return joinBackward(segments);
    std::vector<ByteRange> words;
    bool wasMatch = false;
    for (const Segment& segment : segments) {
        const bool isSameRun = !words.empty() && segment.isMatch == wasMatch;
        if (behavior == Behavior::Removed && segment.isMatch) continue;
        if (behavior == Behavior::Contiguous && isSameRun)
            words.back().end = segment.range.end;
        else
            words.push_back(segment.range);
        wasMatch = segment.isMatch;
    }
    return words;
}

void split(const PreTokenizerStep& step, Words& words) {
    std::vector<ByteRange> result;
    for (const ByteRange& word : words.ranges) {
        const auto text = std::string_view(words.text.text()).substr(word.begin, word.end - word.begin);
        const auto segments = segmentsOf(step.pattern->findAll(text), text.size(), step.isInverted);
        for (const ByteRange& range : wordsOf(segments, step.behavior)) {
            result.push_back({word.begin + range.begin, word.begin + range.end});
        }
    }
    words.ranges = std::move(result);
}

void addPrefix(const PreTokenizerStep& step, Words& words) {
    const std::string& text = words.text.text();
    AlignedTextBuilder builder(words.text);
    std::vector<ByteRange> ranges;
    bool hasChanged = false;
    for (const ByteRange& word : words.ranges) {
        const auto content = std::string_view(text).substr(word.begin, word.end - word.begin);
        const bool isHere =
            step.when == PreTokenizerStep::When::Always || words.text.sourceOf(word.begin, word.end).begin == 0;
        const size_t begin = builder.position();
        if (isHere && !content.starts_with(step.content)) {
            builder.replace(word.begin, word.begin, step.content);
            hasChanged = true;
        }
        builder.keep(word.begin, word.end);
        ranges.push_back({begin, builder.position()});
    }
    if (!hasChanged) return;
    words.text = builder.finish();
    words.ranges = std::move(ranges);
}

constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDigit = R"(\p{N})";

struct NamedRule {
    const char* name;
    const char* first;
    const char* second;  // applied to what the first leaves, null if there is none
};

constexpr std::array kNamedRules{
    NamedRule{"gpt-2", kGpt2, nullptr},    NamedRule{"gpt2", kGpt2, nullptr},
    NamedRule{"phi-2", kGpt2, nullptr},    NamedRule{"mpt", kGpt2, nullptr},
    NamedRule{"olmo", kGpt2, nullptr},     NamedRule{"starcoder", kDigit, kGpt2},
    NamedRule{"refact", kDigit, kGpt2},    NamedRule{"smollm", kDigit, kGpt2},
    NamedRule{"command-r", kDigit, kGpt2}, NamedRule{"llama-bpe", kLlama3, nullptr},
    NamedRule{"llama3", kLlama3, nullptr}, NamedRule{"llama-v3", kLlama3, nullptr},
    NamedRule{"qwen2", kQwen2, nullptr},   NamedRule{"deepseek-r1-qwen", kQwen2, nullptr},
};

}  // namespace

Words preTokenize(const std::vector<PreTokenizerStep>& steps, AlignedText text) {
    Words words;
    words.text = std::move(text);
    if (!words.text.text().empty()) words.ranges.push_back({0, words.text.text().size()});
    for (const PreTokenizerStep& step : steps) {
        if (step.kind == PreTokenizerStep::Kind::Split)
            split(step, words);
        else
            addPrefix(step, words);
    }
    return words;
}

std::vector<PreTokenizerStep> splitRulesNamed(std::string_view name, std::string_view sourceName) {
    const auto rule = std::ranges::find(kNamedRules, name, &NamedRule::name);
    if (rule == kNamedRules.end()) {
        std::vector<std::string_view> names;
        for (const NamedRule& known : kNamedRules) names.emplace_back(known.name);
        throw Error{ErrorCode::Unsupported, fmt::format("{}: the splitting rule '{}' is not known; known are {}",
                                                        sourceName, name, fmt::join(names, ", "))};
    }
    std::vector<PreTokenizerStep> steps;
    for (const char* pattern : {rule->first, rule->second}) {
        if (pattern == nullptr) continue;
        PreTokenizerStep step;
        step.pattern.emplace(pattern, sourceName);
        steps.push_back(std::move(step));
    }
    return steps;
}

}  // namespace wb::core
