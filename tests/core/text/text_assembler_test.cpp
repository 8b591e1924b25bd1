// SPDX-License-Identifier: Apache-2.0
#include "core/text/text_assembler.h"

#include "core/text/utf8.h"

#include <gtest/gtest.h>
#include <vector>

namespace wb::core {
namespace {

using Kind = TextAssembler::TokenKind;
using InvalidBytes = DecodeRules::InvalidBytes;
using FirstSpace = DecodeRules::FirstSpace;

std::string assembled(DecodeRules rules, const std::vector<std::pair<std::string, Kind>>& tokens) {
    TextAssembler assembler(rules);
    std::string text;
    for (const auto& [bytes, kind] : tokens) text += assembler.push(bytes, kind);
    return text + assembler.flush();
}

const std::string kBad = "\uFFFD";

TEST(TextAssembler, HoldsBackACharacterUntilItsLastByte) {
    TextAssembler assembler({});
    EXPECT_EQ(assembler.push("a\xf0\x9f", Kind::Text), "a");
    EXPECT_EQ(assembler.push("\x90", Kind::Text), "");
    EXPECT_EQ(assembler.push("\xbc"
                             "b",
                             Kind::Text),
              "\U0001f43cb");
    EXPECT_EQ(assembler.push("\xe2\x82", Kind::Text), "");
    EXPECT_EQ(assembler.push("c", Kind::Text), kBad + "c") << "the character cannot be completed any more";
    EXPECT_EQ(assembler.push("\xe2", Kind::Text), "");
    EXPECT_EQ(assembler.flush(), kBad);
    EXPECT_EQ(assembler.flush(), "");
}

TEST(TextAssembler, InvalidBytesFollowTheRule) {
    const std::vector<std::pair<std::string, Kind>> tokens{
        {"\xe2", Kind::Byte}, {"\x82", Kind::Byte}, {"\x0a", Kind::Byte}, {"x", Kind::Text}};
    EXPECT_EQ(assembled({.invalidBytes = InvalidBytes::OnePerSequence}, tokens), kBad + "\nx");
    EXPECT_EQ(assembled({.invalidBytes = InvalidBytes::OnePerByte}, tokens), kBad + kBad + "\nx");
    EXPECT_EQ(assembled({.invalidBytes = InvalidBytes::WholeRun}, tokens), kBad + kBad + kBad + "x");
    EXPECT_EQ(assembled({.invalidBytes = InvalidBytes::WholeRun},
                        {{"\xc3", Kind::Byte}, {"\xa9", Kind::Byte}, {"x", Kind::Text}}),
              "\u00e9x");
}

TEST(TextAssembler, FirstSpaceFollowsTheRule) {
    const std::vector<std::pair<std::string, Kind>> tokens{{" ", Kind::Text}, {" a", Kind::Text}, {" b", Kind::Text}};
    EXPECT_EQ(assembled({.firstSpace = FirstSpace::Keep}, tokens), "  a b");
    EXPECT_EQ(assembled({.firstSpace = FirstSpace::DropOne}, tokens), " a b");
    EXPECT_EQ(assembled({.firstSpace = FirstSpace::DropOfEachToken}, tokens), "a b");
    EXPECT_EQ(assembled({.firstSpace = FirstSpace::DropOne}, {{"a", Kind::Text}, {" b", Kind::Text}}), "a b");
    EXPECT_EQ(assembled({.firstSpace = FirstSpace::DropOne}, {{"", Kind::Text}, {" b", Kind::Text}}), "b");
}

TEST(Utf8, TellsValidFromInvalid) {
    for (const char* valid : {"", "a", "\u00e9", "\u0800", "\ud7ff", "\ue000", "\U00010000", "\U0010ffff"}) {
        EXPECT_TRUE(isValidUtf8(valid)) << valid;
    }
    // Stray, overlong, surrogate, past the last code point, cut short.
    for (const char* invalid : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                                "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xf0\x9f\x90", "a\xc3"}) {
        EXPECT_FALSE(isValidUtf8(invalid)) << invalid;
    }
}

TEST(Utf8, ReplacesAsTheStandardRecommends) {
    EXPECT_EQ(replaceInvalidUtf8("a\xf0\x80\x80"
                                 "b"),
              "a" + kBad + kBad + kBad + "b");
    EXPECT_EQ(replaceInvalidUtf8("a\xf0\x9f\x90"
                                 "b"),
              "a" + kBad + "b");
    EXPECT_EQ(replaceInvalidUtf8("\xe2\x82\xe2\x82\xac"), kBad + "\u20ac");
    EXPECT_EQ(replaceInvalidUtf8("\xed\xa0\x80"), kBad + kBad + kBad);
}

TEST(Utf8, EveryCodePointSurvives) {
    for (char32_t c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 97) {
        if (c >= 0xd800 && c < 0xe000) continue;
        std::string text;
        appendUtf8(text, c);
        const Utf8Step step = decodeUtf8(text);
        ASSERT_TRUE(step.isValid);
        ASSERT_EQ(step.codePoint, c);
        ASSERT_EQ(step.bytes, text.size());
    }
}

}  // namespace
}  // namespace wb::core
