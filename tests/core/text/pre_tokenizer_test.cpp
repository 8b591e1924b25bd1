// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/pre_tokenizers.h"

#include "core/text/tokenizer/split_rules.h"
#include "core/text/tokenizer/unicode_classes.h"

#include "tests/core/test_files.h"

namespace wb::core {
namespace {

using Behavior = PreTokenizerStep::Behavior;
using Strings = std::vector<std::string>;

PreTokenizerStep splitBy(const char* pattern, Behavior behavior) {
    return splitAt(Regex(pattern, "test"), behavior);
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
    steps.push_back(splitBy(pattern, behavior));
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
    steps.push_back(splitBy("[a-z]+", Behavior::Removed));
    steps.back().isInverted = true;
    EXPECT_EQ(wordsOf(std::move(steps), "ab, cd1ef"), (Strings{"ab", "cd", "ef"}));
}

TEST(PreTokenizer, ClassesOfCharactersSplitAsPatternsDo) {
    const std::string text = "a,b\u3001\u30021\u0663 c";
    const auto byClass = [&](bool (*isMember)(char32_t), Behavior behavior) {
        std::vector<PreTokenizerStep> steps;
        steps.push_back(splitAt(isMember, behavior));
        return wordsOf(std::move(steps), text);
    };
    EXPECT_EQ(byClass(isPunctuation, Behavior::Isolated), (Strings{"a", ",", "b", "\u3001", "\u3002", "1\u0663 c"}));
    EXPECT_EQ(byClass(isPunctuation, Behavior::Contiguous), (Strings{"a", ",", "b", "\u3001\u3002", "1\u0663 c"}));
    EXPECT_EQ(byClass(isNumeric, Behavior::Contiguous), (Strings{"a,b\u3001\u3002", "1\u0663", " c"}));
    EXPECT_EQ(byClass(isWhiteSpace, Behavior::Removed), (Strings{"a,b\u3001\u30021\u0663", "c"}));
    std::vector<PreTokenizerStep> steps;
    steps.push_back(stepOf(PreTokenizerStep::Kind::SplitWords));
    EXPECT_EQ(wordsOf(std::move(steps), "ab!? c_\u00e9 \n\u00a0 d"), (Strings{"ab", "!?", "c_\u00e9", "d"}));
}

TEST(PreTokenizer, BytesAreWrittenForEachWord) {
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitAt(U'-', Behavior::Removed));
    steps.push_back(stepOf(PreTokenizerStep::Kind::ByteAlphabet));
    EXPECT_EQ(wordsOf(std::move(steps), "a b-\u00e9"), (Strings{"a\u0120b", "\u00c3\u00a9"}));
}

TEST(PreTokenizer, LaterStepsSeeEachWordAlone) {
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitBy(" ", Behavior::MergedWithNext));
    steps.push_back(splitBy("^.", Behavior::Isolated));
    EXPECT_EQ(wordsOf(std::move(steps), "ab cd"), (Strings{"a", "b", " ", "cd"}));
}

TEST(PreTokenizer, APrefixStandsForNothingOfTheInput) {
    std::vector<PreTokenizerStep> steps;
    steps.push_back(splitBy(" ", Behavior::Removed));
    steps.push_back(prefixWith("_"));
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
    EXPECT_EQ(wordsOf(splitRulesNamed("falcon", "t"), "a 12345$"), (Strings{"a", " ", "123", "45", "$"}));
    EXPECT_EQ(wordsOf(splitRulesNamed("starcoder", "t"), "a 12"), (Strings{"a", " ", "1", "2"}));
    WB_EXPECT_ERROR(splitRulesNamed("tekken", "m.gguf"), ErrorCode::Unsupported, "'tekken'");
}

TEST(Regex, EmptyMatchesAreLeftOutAndEndTheSearch) {
    EXPECT_TRUE(Regex("x*", "t").findAll("").empty());
    EXPECT_EQ(Regex("x*", "t").findAll("a\u00e9xxb"), (std::vector<ByteRange>{{3, 5}}));
    EXPECT_EQ(Regex("a\\Kb|b\\K", "t").findAll("abb"), (std::vector<ByteRange>{{1, 2}}));
    EXPECT_EQ(Regex(Regex::escape("a.b*(\u00e9)"), "t").findAll("a.b*(\u00e9)axb"), (std::vector<ByteRange>{{0, 8}}));
}

TEST(Regex, ClassesMeanWhatOnigurumaMeans) {
    const auto all = [](const char* pattern, const char* text) {
        std::string found;
        const std::string_view view = text;
        for (const ByteRange& match : Regex(pattern, "t").findAll(view)) {
            found.append(view.substr(match.begin, match.end - match.begin)).append("|");
        }
        return found;
    };
    EXPECT_EQ(all("\\s", "a\u180e\u0085b"), "\u0085|") << "the Mongolian separator is no white space";
    EXPECT_EQ(all("[^\\s\\p{L}]+", "a\u180e b"), "\u180e|");
    EXPECT_EQ(all("\\w+", "e\u0301\u00b2-\u203f"), "e\u0301\u00b2|\u203f|");
    EXPECT_EQ(all("\\p{L}+", "x\U00031350y\u1c89 1"), "x\U00031350y\u1c89|") << "letters of Unicode 15 and 16";
    EXPECT_EQ(all("\\S+|\\p{Nd}", "a\u2028b \u3000"), "a|b|");
    EXPECT_EQ(all("^b$", "a\nb\nc"), "b|") << "lines, not the text, begin and end";
    EXPECT_EQ(all("[]a]+", "x]a["), "]a|");
    WB_EXPECT_ERROR(Regex("\\p{N}{1,3}+", "t"), ErrorCode::Unsupported, "interval");
    EXPECT_EQ(all("\\p{L}++", "ab1"), "ab|");
}

}  // namespace
}  // namespace wb::core
