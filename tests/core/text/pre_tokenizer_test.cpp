// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/pre_tokenizer.h"

#include "tests/core/test_files.h"

namespace wb::core {
namespace {

using Behavior = PreTokenizerStep::Behavior;
using Strings = std::vector<std::string>;

PreTokenizerStep splitAt(const char* pattern, Behavior behavior) {
    PreTokenizerStep step;
    step.pattern.emplace(pattern, "test");
    step.behavior = behavior;
    return step;
}

Strings wordsOf(std::vector<PreTokenizerStep> steps, const std::string& text) {
    const Words words = preTokenize(steps, AlignedText(text, 0));
    Strings result;
    for (const ByteRange& range : words.ranges)
        result.push_back(words.text.text().substr(range.begin, range.end - range.begin));
    return result;
}

Strings split(const char* pattern, Behavior behavior, const std::string& text) {
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitAt(pattern, behavior));
    return wordsOf(std::move(steps), text);
}

TEST(PreTokenizer, EachBehaviourTreatsTheMatchItsOwnWay) {
    const std::string text = "-the-final--countdown-";
    EXPECT_EQ(split("-", Behavior::Removed, text), (Strings{"the", "final", "countdown"}));
    EXPECT_EQ(split("-", Behavior::Isolated, text), (Strings{"-", "the", "-", "final", "-", "-", "countdown", "-"}));
    EXPECT_EQ(split("-", Behavior::MergedWithPrevious, text), (Strings{"-", "the-", "final-", "-", "countdown-"}));
    EXPECT_EQ(split("-", Behavior::MergedWithNext, text), (Strings{"-the", "-final", "-", "-countdown", "-"}));
    EXPECT_EQ(split("-", Behavior::Contiguous, text), (Strings{"-", "the", "-", "final", "--", "countdown", "-"}));
}

TEST(PreTokenizer, AnInvertedSplitTurnsMatchesAround) {
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitAt("[a-z]+", Behavior::Removed));
    steps.back().isInverted = true;
    EXPECT_EQ(wordsOf(std::move(steps), "ab, cd1ef"), (Strings{"ab", "cd", "ef"}));
}

TEST(PreTokenizer, LaterStepsSeeEachWordAlone) {
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitAt(" ", Behavior::MergedWithNext));
    steps.push_back(splitAt("^.", Behavior::Isolated));
    EXPECT_EQ(wordsOf(std::move(steps), "ab cd"), (Strings{"a", "b", " ", "cd"}));
}

TEST(PreTokenizer, APrefixStandsForNothingOfTheInput) {
    PreTokenizerStep prefix;
    prefix.kind = PreTokenizerStep::Kind::Prefix;
    prefix.content = "_";
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitAt(" ", Behavior::Removed));
    steps.push_back(std::move(prefix));
    const Words words = preTokenize(steps, AlignedText("ab _c", 10));
    EXPECT_EQ(words.text.text(), "_ab_c");
    ASSERT_EQ(words.ranges.size(), 2U);
    EXPECT_EQ(words.text.sourceOf(0, 1), (ByteRange{10, 10}));
    EXPECT_EQ(words.text.sourceOf(0, 3), (ByteRange{10, 12}));
    EXPECT_EQ(words.text.sourceOf(3, 5), (ByteRange{13, 15}));
}

TEST(PreTokenizer, NamedRulesAreKnownOrRefused) {
    EXPECT_EQ(wordsOf(splitRulesNamed("gpt-2", "t"), "I'm 1234  ok"), (Strings{"I", "'m", " 1234", " ", " ok"}));
    EXPECT_EQ(wordsOf(splitRulesNamed("llama-bpe", "t"), "I'M 1234 ok"), (Strings{"I", "'M", " ", "123", "4", " ok"}));
    EXPECT_EQ(wordsOf(splitRulesNamed("qwen2", "t"), "x12\n\n y"), (Strings{"x", "1", "2", "\n\n", " y"}));
    EXPECT_EQ(wordsOf(splitRulesNamed("starcoder", "t"), "a 12"), (Strings{"a", " ", "1", "2"}));
    WB_EXPECT_ERROR(splitRulesNamed("tekken", "m.gguf"), ErrorCode::Unsupported, "'tekken'");
}

TEST(Regex, EmptyMatchesAreLeftOutAndEndTheSearch) {
    EXPECT_TRUE(Regex("x*", "t").findAll("").empty());
    EXPECT_EQ(Regex("x*", "t").findAll("a\u00e9xxb"), (std::vector<ByteRange>{{3, 5}}));
    EXPECT_EQ(Regex("a\\Kb|b\\K", "t").findAll("abb"), (std::vector<ByteRange>{{1, 2}}));
    EXPECT_EQ(Regex(Regex::escape("a.b*(\u00e9)"), "t").findAll("a.b*(\u00e9)axb"), (std::vector<ByteRange>{{0, 8}}));
}

}  // namespace
}  // namespace wb::core
