// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/added_tokens.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace wb::core {
namespace {

// "0..3=7 3..5" : the pieces as ranges, with the id of those that are tokens.
std::string piecesOf(const AddedTokenMatcher& matcher, std::string_view text,
                     SpecialTokens special = SpecialTokens::Parse) {
    std::string result;
    for (const TextPiece& piece : matcher.split(text, special)) {
        if (!result.empty()) result += ' ';
        result += fmt::format("{}..{}", piece.range.begin, piece.range.end);
        if (piece.token) result += fmt::format("={}", *piece.token);
    }
    return result;
}

TEST(AddedTokens, TheLongestAtTheLeftmostPlaceWins) {
    const AddedTokenMatcher matcher(
        {{.id = 1, .content = "<a>"}, {.id = 2, .content = "<a><b>"}, {.id = 3, .content = "b>c"}});
    EXPECT_EQ(piecesOf(matcher, "x<a><b>c"), "0..1 1..7=2 7..8");
    EXPECT_EQ(piecesOf(matcher, "<a><a>b>c"), "0..3=1 3..6=1 6..9=3");
    EXPECT_EQ(piecesOf(matcher, ""), "");
    EXPECT_EQ(piecesOf(matcher, "plain"), "0..5");
    EXPECT_EQ(piecesOf(AddedTokenMatcher(), "plain"), "0..5");
    EXPECT_EQ(piecesOf(AddedTokenMatcher({{.id = 1, .content = ""}}), "ab"), "0..2");
}

TEST(AddedTokens, SpecialOnesAreTextWhereTheTextIsAUsers) {
    const AddedTokenMatcher matcher({{.id = 1, .content = "<s>", .isSpecial = true}, {.id = 2, .content = "  "}});
    EXPECT_EQ(piecesOf(matcher, "<s>  x", SpecialTokens::Parse), "0..3=1 3..5=2 5..6");
    EXPECT_EQ(piecesOf(matcher, "<s>  x", SpecialTokens::None), "0..3 3..5=2 5..6");
}

TEST(AddedTokens, StrippingSwallowsWhiteSpaceUpToTheNeighbour) {
    const AddedTokenMatcher matcher({{.id = 1, .content = "[L]", .stripsLeft = true},
                                     {.id = 2, .content = "[R]", .stripsRight = true},
                                     {.id = 3, .content = " "}});
    EXPECT_EQ(piecesOf(matcher, "a\n\t[L]b"), "0..1 1..6=1 6..7");
    EXPECT_EQ(piecesOf(matcher, "a[R]\u3000\nb"), "0..1 1..8=2 8..9");
    EXPECT_EQ(piecesOf(matcher, "[R]  [L]"), "0..5=2 3..4=3 4..5=3 5..8=1") << "swallowed, and tokens all the same";
    EXPECT_EQ(piecesOf(matcher, "\n [L]"), "0..1 1..2=3 2..5=1") << "the space was a token of its own already";
}

TEST(AddedTokens, SingleWordsStandAlone) {
    const AddedTokenMatcher matcher({{.id = 1, .content = "tool", .isSingleWord = true}});
    EXPECT_EQ(piecesOf(matcher, "tool,tool"), "0..4=1 4..5 5..9=1");
    for (const char* text : {"xtool", "toolx", "tool_", "1tool", "\u00e9tool", "tool\u4e2d"}) {
        EXPECT_EQ(piecesOf(matcher, text), fmt::format("0..{}", std::string_view(text).size())) << text;
    }
}

}  // namespace
}  // namespace wb::core
