// SPDX-License-Identifier: Apache-2.0
// Lines, archives, CSV and JSON arrays: from bytes to rows.
#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include "kernels/base/error.h"
#include "tests/training/data/data_fixture.h"
#include "training/data/csv_reader.h"
#include "training/data/json_array.h"
#include "training/data/line_source.h"
#include "training/data/row_value.h"

namespace wb::training {
namespace {

using test::TemporaryFolder;
using test::writeText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string gzip(const std::string& text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::string zstd(const std::string& text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
}

std::vector<std::string> linesOfFile(const std::filesystem::path& path, int64_t limit = 1 << 20) {
    LineSource source(openByteStream(path), limit);
    std::vector<std::string> lines;
    while (const auto line = source.next())
        lines.push_back(std::to_string(line->number) + (line->isTooLong ? "!" : ":") + std::string(line->text));
    return lines;
}

TEST(LineSource, KeepsNumbersThroughEveryKindOfLineEnd) {
    const TemporaryFolder folder;
    writeText(folder / "a.txt",
              "\xEF\xBB\xBF"
              "one\r\n\ntwo\nthree");
    EXPECT_THAT(linesOfFile(folder / "a.txt"), ElementsAre("1:one", "2:", "3:two", "4:three"));
    writeText(folder / "b.txt", "");
    EXPECT_THAT(linesOfFile(folder / "b.txt"), IsEmpty());
    writeText(folder / "c.txt", "\n");
    EXPECT_THAT(linesOfFile(folder / "c.txt"), ElementsAre("1:"));
}

TEST(LineSource, LimitCountsBytesWithoutTheLineEnd) {
    const TemporaryFolder folder;
    writeText(folder / "a.txt", "12345\r\n123456\n1234567\r\nx\n");
    EXPECT_THAT(linesOfFile(folder / "a.txt", 5), ElementsAre("1:12345", "2!123456", "3!123456", "4:x"));
}

TEST(LineSource, LinesLongerThanABlockArrive) {
    const TemporaryFolder folder;
    const std::string big(700000, 'x');
    writeText(folder / "a.txt", big + "\n" + big + "\nend");
    const auto lines = linesOfFile(folder / "a.txt");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[1], "2:" + big);
}

TEST(ByteStream, UnpacksGzipAndZstdWhateverTheName) {
    const TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 100000; ++i) text += "line " + std::to_string(i) + "\n";
    writeText(folder / "a.jsonl", gzip(text));
    writeText(folder / "b.jsonl", zstd(text));
    writeText(folder / "c.gz", gzip("first\n") + gzip("second\n"));
    writeText(folder / "d.zst", zstd("first\n") + zstd("second\n"));
    EXPECT_EQ(readWholeFile(folder / "a.jsonl", 1 << 30), text);
    EXPECT_EQ(readWholeFile(folder / "b.jsonl", 1 << 30), text);
    EXPECT_EQ(readWholeFile(folder / "c.gz", 1 << 30), "first\nsecond\n");
    EXPECT_EQ(readWholeFile(folder / "d.zst", 1 << 30), "first\nsecond\n");
}

TEST(ByteStream, EveryCutOfAnArchiveIsAnError) {
    const TemporaryFolder folder;
    const std::string text(5000, 'a');
    for (const std::string& packed : {gzip(text), zstd(text)}) {
        for (size_t length = 4; length < packed.size(); ++length) {
            writeText(folder / "cut", packed.substr(0, length));
            EXPECT_THROW(readWholeFile(folder / "cut", 1 << 30), Error) << length << " of " << packed.size();
        }
    }
}

TEST(ByteStream, LimitStopsAnArchiveThatUnpacksTooFar) {
    const TemporaryFolder folder;
    writeText(folder / "bomb.gz", gzip(std::string(50'000'000, '\0')));
    try {
        readWholeFile(folder / "bomb.gz", 1'000'000);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("1000000 bytes"));
    }
}

TEST(ByteStream, NamesWhatCannotBeOpened) {
    const TemporaryFolder folder;
    EXPECT_THROW(openByteStream(folder / "none.jsonl"), Error);
    EXPECT_THROW(openByteStream(folder.path()), Error);
    writeText(folder / "wide.txt", std::string("\xFF\xFEh\0i\0", 6));
    EXPECT_THROW(openByteStream(folder / "wide.txt"), Error);
}

TEST(Utf8, FindsTheFirstWrongByte) {
    EXPECT_EQ(findInvalidUtf8("plain"), std::nullopt);
    EXPECT_EQ(findInvalidUtf8("caf\xC3\xA9 \xF0\x9F\x98\x80"), std::nullopt);
    EXPECT_EQ(findInvalidUtf8("caf\xE9"), 3U);
    EXPECT_EQ(findInvalidUtf8("a\xC0\x80"), 1U) << "overlong";
    EXPECT_EQ(findInvalidUtf8("ab\xED\xA0\x80"), 2U) << "surrogate";
    EXPECT_EQ(findInvalidUtf8("\xF4\x90\x80\x80"), 0U) << "past U+10FFFF";
    EXPECT_EQ(findInvalidUtf8("cut \xE2\x82"), 4U);
}

std::vector<std::vector<std::string>> csvCells(std::string_view text, char delimiter = ',') {
    CsvReader reader(text, delimiter);
    std::vector<std::vector<std::string>> rows;
    while (const auto record = reader.next()) {
        rows.push_back(record->cells);
        if (!record->problem.empty()) rows.back().push_back("PROBLEM");
    }
    return rows;
}

TEST(CsvReader, ReadsQuotedCellsAsRfc4180Says) {
    EXPECT_THAT(csvCells("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\n,\r\nlast,"),
                ElementsAre(ElementsAre("a", "b"), ElementsAre("x, \"y\"", "two\nlines"), ElementsAre("", ""),
                            ElementsAre("last", "")));
    CsvReader reader("a\n\n\"1\n2\"\nz", ',');
    EXPECT_EQ(reader.next()->line, 1);
    EXPECT_EQ(reader.next()->line, 3);
    EXPECT_EQ(reader.next()->line, 5);
    EXPECT_EQ(reader.blankLines(), 1);
}

TEST(CsvReader, NamesBrokenQuotes) {
    EXPECT_THAT(csvCells("a\n\"open"), ElementsAre(ElementsAre("a"), ElementsAre("open", "PROBLEM")));
    EXPECT_THAT(csvCells("\"a\"b,c"), ElementsAre(ElementsAre("ab", "c", "PROBLEM")));
    EXPECT_THAT(csvCells("a\"b,c"), ElementsAre(ElementsAre("a\"b", "c", "PROBLEM")));
}

TEST(CsvReader, GuessesTheDelimiterOutsideQuotes) {
    EXPECT_EQ(detectDelimiter("a;b;c\n1,2,3,4,5"), ';');
    EXPECT_EQ(detectDelimiter("\"a;;;;\",b\n"), ',');
    EXPECT_EQ(detectDelimiter("a\tb"), '\t');
}

TEST(JsonArray, DividesElementsAndCountsLines) {
    const JsonRows rows = findJsonRows("\n[{\"a\": \"]},\\\"\"},\n\n {\"b\": [1, {\"c\": 2}]} , 3\n]\n");
    ASSERT_EQ(rows.elements.size(), 3U);
    EXPECT_EQ(rows.elements[0].text, "{\"a\": \"]},\\\"\"}");
    EXPECT_EQ(rows.elements[0].line, 2);
    EXPECT_EQ(rows.elements[1].line, 4);
    EXPECT_EQ(rows.elements[2].text, "3");
    EXPECT_THAT(findJsonRows("[ ]").elements, IsEmpty());
}

TEST(JsonArray, TakesTheLongestListOfAnObject) {
    const JsonRows rows =
        findJsonRows("{\"version\": \"1\", \"tags\": [1], \"data\": [{\"x\": 1}, {\"x\": 2}], \"n\": {}}");
    EXPECT_EQ(rows.listName, "data");
    EXPECT_EQ(rows.elements.size(), 2U);
    EXPECT_FALSE(findJsonRows("{\"a\": 1}").problem.empty());
    EXPECT_FALSE(findJsonRows("").problem.empty());
    EXPECT_FALSE(findJsonRows("hello").problem.empty());
}

TEST(JsonArray, SaysFromWhereNothingCouldBeRead) {
    for (const char* text :
         {"[{\"a\": 1},\n{\"b\": \"open}, {\"c\": 1}]", "[{\"a\": 1},\n{\"b\": [1, 2}", "[{\"a\": 1},\n5}"}) {
        const JsonRows rows = findJsonRows(text);
        ASSERT_EQ(rows.elements.size(), 2U) << text;
        EXPECT_TRUE(rows.elements[0].problem.empty());
        EXPECT_EQ(rows.elements[1].line, 2);
        EXPECT_THAT(rows.elements[1].problem, HasSubstr("could be read")) << text;
    }
    EXPECT_FALSE(findJsonRows("[1] x").elements.back().problem.empty());
}

TEST(JsonRow, KeepsOrderAndTypesAndWritesThemBack) {
    JsonRowParser parser;
    const std::string text =
        R"({"b": "x\n\u00e9", "a": [1, -2.5, true, null, {"c": {}}], "big": 18446744073709551615})";
    const auto result = parser.parseObject(text);
    ASSERT_EQ(result.problem, "");
    EXPECT_EQ(result.row.fields[0].name, "b");
    EXPECT_EQ(*result.row.findText("b"), "x\n\xC3\xA9");
    EXPECT_EQ(result.row.findText("a"), nullptr);
    EXPECT_EQ(result.row.toJson(),
              "{\"b\": \"x\\n\xC3\xA9\", \"a\": [1, -2.5, true, null, {\"c\": {}}], \"big\": 18446744073709551615}");
}

TEST(JsonRow, DepthIsLimited) {
    JsonRowParser parser;
    const auto nested = [](size_t depth) {
        return "{\"a\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_EQ(parser.parseObject(nested(60)).problem, "");
    EXPECT_THAT(parser.parseObject(nested(100)).problem, HasSubstr("nested deeper"));
    EXPECT_THAT(parser.parseObject(nested(100000)).problem, HasSubstr("nested deeper"));
}

TEST(JsonRow, ExplainsUsualMistakes) {
    JsonRowParser parser;
    EXPECT_THAT(parser.parseObject("{\"a\": 1,}").problem, HasSubstr("comma stands before the closing bracket"));
    EXPECT_THAT(parser.parseObject("{\"a\": \"b\"").problem, HasSubstr("ends before the closing bracket"));
    EXPECT_THAT(parser.parseObject("{\"a\": NaN}").problem, HasSubstr("NaN"));
    EXPECT_THAT(parser.parseObject("{\"a\": \"tab\there\"}").problem, HasSubstr("control character"));
    EXPECT_THAT(parser.parseObject("{\"a\": \"low \\ude00\"}").problem, HasSubstr("surrogate"));
    EXPECT_THAT(parser.parseObject("{\"a\" \"b\"}").problem, HasSubstr("not valid JSON"));
    EXPECT_THAT(parser.parseObject("{} {}").problem, HasSubstr("not valid JSON"));
    EXPECT_NE(parser.parseObject("").problem, "");
}

}  // namespace
}  // namespace wb::training
