// SPDX-License-Identifier: Apache-2.0
// Files that are broken on purpose: every bad line has to be named, every good one has to arrive.
#include <gmock/gmock.h>

#include "tests/training/data/data_fixture.h"

namespace wb::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::linesOf;
using testing::sharedData;

Dataset loadDirty(const std::string& name) {
    LoadOptions options;
    options.promptColumns = {"context"};
    options.responseColumns = {"question"};
    return loadDataset(sharedData() / "dirty" / name, options);
}

void expectComplete(const Dataset& data) {
    EXPECT_EQ(data.rows, static_cast<int64_t>(data.examples.size() + data.badLines.size()));
    for (const BadLine& bad : data.badLines) EXPECT_FALSE(bad.reason.empty()) << "line " << bad.line;
}

TEST(DirtyFiles, InvalidUtf8AndNulAreNamed) {
    WB_NEED_FILE(sharedData() / "dirty" / "bad_utf8_and_nul.jsonl");
    const Dataset data = loadDirty("bad_utf8_and_nul.jsonl");
    expectComplete(data);
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 3, 5));
    ASSERT_THAT(linesOf(data.badLines), ElementsAre(2, 4));
    EXPECT_THAT(data.badLines[0].reason, HasSubstr("byte 25"));
    EXPECT_THAT(data.badLines[0].reason, HasSubstr("0xE9"));
    EXPECT_THAT(data.badLines[1].reason, HasSubstr("NUL byte at byte 23"));
}

TEST(DirtyFiles, ByteOrderMarkAndCarriageReturnsAreNoErrors) {
    WB_NEED_FILE(sharedData() / "dirty" / "bom_crlf.jsonl");
    const Dataset data = loadDirty("bom_crlf.jsonl");
    expectComplete(data);
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    EXPECT_THAT(data.badLines, IsEmpty());
    EXPECT_EQ(data.blankLines, 1);
    EXPECT_EQ(data.examples.front().columns.at("context").front(), 'T');
    EXPECT_EQ(data.examples.front().columns.at("question").find('\r'), std::string::npos);
}

TEST(DirtyFiles, BrokenLinesAreNamedWithTheMistake) {
    WB_NEED_FILE(sharedData() / "dirty" / "broken_lines.jsonl");
    const Dataset data = loadDirty("broken_lines.jsonl");
    expectComplete(data);
    EXPECT_EQ(data.rows, 12);
    EXPECT_EQ(data.blankLines, 1);
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 3, 7, 13));
    ASSERT_THAT(linesOf(data.badLines), ElementsAre(2, 4, 5, 8, 9, 10, 11, 12));
    EXPECT_THAT(data.badLines[1].reason, HasSubstr("closing quote"));
    EXPECT_THAT(data.badLines[2].reason, HasSubstr("not JSON"));
    EXPECT_THAT(data.badLines[3].reason, HasSubstr("single quotes"));
    EXPECT_THAT(data.badLines[5].reason, HasSubstr("a list"));
    EXPECT_THAT(data.badLines[6].reason, HasSubstr("a text"));
    EXPECT_THAT(data.badLines[7].reason, HasSubstr("null"));
}

TEST(DirtyFiles, OddEscapesAreReadAndImpossibleOnesNamed) {
    WB_NEED_FILE(sharedData() / "dirty" / "duplicate_and_escapes.jsonl");
    const Dataset data = loadDirty("duplicate_and_escapes.jsonl");
    expectComplete(data);
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 2, 4, 5));
    ASSERT_THAT(linesOf(data.badLines), ElementsAre(3, 6));
    EXPECT_THAT(data.badLines[0].reason, HasSubstr("surrogate"));
    EXPECT_THAT(data.badLines[1].reason, HasSubstr("out of range"));
    ASSERT_THAT(linesOf(data.warnings), ElementsAre(1));
    EXPECT_THAT(data.warnings[0].reason, HasSubstr("\"context\" stands twice"));
    EXPECT_EQ(data.examples[0].columns.at("context"), "second");
    const std::string& escapes = data.examples[1].columns.at("context");
    EXPECT_NE(escapes.find('\0'), std::string::npos);
    EXPECT_NE(escapes.find('\x07'), std::string::npos);
    EXPECT_EQ(data.examples[1].columns.at("question"), "caf\xC3\xA9 \xF0\x9F\x98\x80 \xE4\xBD\xA0\xE5\xA5\xBD");
    EXPECT_EQ(data.examples[2].columns.at("context"), "braces {context} and {{double}}");
}

TEST(DirtyFiles, HugeLineIsNamedWithItsSizeAndTheLimit) {
    WB_NEED_FILE(sharedData() / "dirty" / "huge_line.jsonl");
    const Dataset data = loadDirty("huge_line.jsonl");
    expectComplete(data);
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 3));
    ASSERT_THAT(linesOf(data.badLines), ElementsAre(2));
    EXPECT_THAT(data.badLines[0].reason, HasSubstr("limit is 1048576"));

    LoadOptions generous;
    generous.maxLineBytes = 4 << 20;
    const Dataset whole = loadDataset(sharedData() / "dirty" / "huge_line.jsonl", generous);
    EXPECT_THAT(linesOf(whole.examples), ElementsAre(1, 2, 3));
    EXPECT_GT(whole.examples[1].columns.at("context").size(), 1800000U);
}

TEST(DirtyFiles, RowsOfOtherSchemasAreNamedWithTheColumn) {
    WB_NEED_FILE(sharedData() / "dirty" / "mixed_keys.jsonl");
    const Dataset data = loadDirty("mixed_keys.jsonl");
    expectComplete(data);
    EXPECT_EQ(data.rows, 11);
    EXPECT_EQ(data.format.name, "columns");
    EXPECT_THAT(linesOf(data.examples), ElementsAre(1, 11));
    ASSERT_THAT(linesOf(data.badLines), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9, 10));
    EXPECT_THAT(data.badLines[0].reason, HasSubstr("'context' is missing (the row has question, answer)"));
    EXPECT_THAT(data.badLines[4].reason, HasSubstr("'question' is missing"));
    EXPECT_THAT(data.badLines[5].reason, HasSubstr("null"));
    EXPECT_THAT(data.badLines[6].reason, HasSubstr("empty"));
    EXPECT_THAT(data.badLines[7].reason, HasSubstr("a list"));
    EXPECT_THAT(data.badLines[8].reason, HasSubstr("a number"));
}

TEST(DirtyFiles, WithoutATemplateTheSameLinesAreBad) {
    WB_NEED_FILE(sharedData() / "dirty" / "mixed_keys.jsonl");
    const std::vector<std::pair<std::string, std::vector<int64_t>>> expected{
        {"bad_utf8_and_nul.jsonl", {2, 4}},
        {"bom_crlf.jsonl", {}},
        {"broken_lines.jsonl", {2, 4, 5, 8, 9, 10, 11, 12}},
        {"duplicate_and_escapes.jsonl", {3, 6}},
        {"huge_line.jsonl", {2}},
        {"mixed_keys.jsonl", {2, 3, 4, 5, 6, 7, 8, 9, 10}},
    };
    for (const auto& [name, lines] : expected) {
        const Dataset data = loadDataset(sharedData() / "dirty" / name);
        expectComplete(data);
        EXPECT_EQ(data.format.name, "columns") << name;
        EXPECT_EQ(linesOf(data.badLines), lines) << name;
    }
}

}  // namespace
}  // namespace wb::training
