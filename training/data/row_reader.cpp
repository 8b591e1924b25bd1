// SPDX-License-Identifier: Apache-2.0
#include "training/data/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "kernels/base/error.h"
#include "training/data/byte_stream.h"
#include "training/data/csv_reader.h"
#include "training/data/json_array.h"
#include "training/data/line_source.h"

namespace wb::training {
namespace {

// Files that cannot be read row by row are held in memory whole.
constexpr int64_t kMaxWholeFileBytes = int64_t{4} << 30;
constexpr std::string_view kEndOfText = "<|endoftext|>";

using Visit = std::function<bool(RawRow&&)>;

std::string tooLong(int64_t bytes, int64_t limit) {
    return fmt::format("the row has {} bytes, the limit is {} (max line bytes); shorten it or raise the limit", bytes,
                       limit);
}

bool isBlank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

RawRow parseRow(JsonRowParser& parser, int64_t line, std::string_view text) {
    JsonRowParser::Result result = parser.parseObject(text);
    return {line, std::move(result.row), std::move(result.problem), std::move(result.warning)};
}

void readJsonLines(const std::filesystem::path& path, int64_t maxLineBytes, RowReading& reading, const Visit& visit) {
    LineSource lines(openByteStream(path), maxLineBytes);
    JsonRowParser parser;
    while (const auto line = lines.next()) {
        if (!line->isTooLong && isBlank(line->text)) {
            ++reading.blankLines;
            continue;
        }
        RawRow row;
        if (line->isTooLong)
            row = {line->number, {}, tooLong(line->bytes, maxLineBytes), {}};
        else
            row = parseRow(parser, line->number, line->text);
        if (!visit(std::move(row))) return;
    }
}

void readJsonArray(std::string_view text, int64_t maxLineBytes, RowReading& reading, const Visit& visit) {
    reading.container = Container::JsonArray;
    const JsonRows rows = findJsonRows(text);
    if (!rows.problem.empty()) throw Error{ErrorCode::InvalidArgument, rows.problem};
    if (!rows.listName.empty())
        reading.notes.push_back(fmt::format("the rows are the list '{}' of one object", rows.listName));
    JsonRowParser parser;
    for (const JsonElement& element : rows.elements) {
        const auto bytes = static_cast<int64_t>(element.text.size());
        RawRow row;
        // The nested SQuAD form holds a whole article in one element, so the limit does not apply to lists of an
        // object.
        const bool isTooLong = bytes > maxLineBytes && rows.listName.empty();
        if (!element.problem.empty())
            row = {element.line, {}, element.problem, {}};
        else if (isTooLong)
            row = {element.line, {}, tooLong(bytes, maxLineBytes), {}};
        else
            row = parseRow(parser, element.line, element.text);
        if (!visit(std::move(row))) return;
    }
}

// Why the text of a cell or document cannot be used; empty if it can.
std::string textProblem(std::string_view text) {
    if (const auto invalid = findInvalidUtf8(text))
        return fmt::format("not UTF-8: byte {} of the row is 0x{:02X}; save the file as UTF-8", *invalid + 1,
                           static_cast<unsigned char>(text[*invalid]));
    return {};
}

RawRow csvRow(CsvRecord&& record, const std::vector<std::string>& names, int64_t maxLineBytes) {
    RawRow row;
    row.line = record.line;
    row.problem = std::move(record.problem);
    size_t bytes = 0;
    for (const std::string& cell : record.cells) bytes += cell.size();
    if (row.problem.empty() && record.cells.size() != names.size())
        row.problem = fmt::format("{} cells where the header has {}", record.cells.size(), names.size());
    if (row.problem.empty() && static_cast<int64_t>(bytes) > maxLineBytes)
        row.problem = tooLong(static_cast<int64_t>(bytes), maxLineBytes);
    for (size_t i = 0; row.problem.empty() && i < names.size(); ++i) {
        row.problem = textProblem(record.cells[i]);
        if (!row.problem.empty())
            row.problem = fmt::format("column '{}': {}", names[i], row.problem);
        else
            row.value.fields.push_back({names[i], RowValue::ofText(std::move(record.cells[i]))});
    }
    row.value.kind = RowValue::Kind::Object;
    return row;
}

void readCsv(std::string_view text, const std::string& extension, int64_t maxLineBytes, RowReading& reading,
             const Visit& visit) {
    reading.container = Container::Csv;
    const char delimiter = extension == ".tsv" ? '\t' : detectDelimiter(text);
    CsvReader reader(text, delimiter);
    std::optional<CsvRecord> header = reader.next();
    if (!header) throw Error{ErrorCode::InvalidArgument, "the file is empty"};
    if (!header->problem.empty() || !textProblem(header->cells.empty() ? "" : header->cells.front()).empty())
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("the header on line {} cannot be read: {}", header->line,
                                header->problem.empty() ? "it is not UTF-8" : header->problem)};
    std::unordered_set<std::string> seen;
    for (const std::string& name : header->cells)
        if (name.empty() || !seen.insert(name).second)
            throw Error{
                ErrorCode::InvalidArgument,
                fmt::format("the header on line {} has {} column name: the first line must name every column once",
                            header->line, name.empty() ? "an empty" : "a repeated")};
    reading.columnNames = header->cells;
    if (delimiter != ',')
        reading.notes.push_back(fmt::format("cells are separated by {}", delimiter == ';' ? "semicolons" : "tabs"));
    while (auto record = reader.next())
        if (!visit(csvRow(std::move(*record), reading.columnNames, maxLineBytes))) break;
    reading.blankLines = reader.blankLines();
}

// Documents are separated by <|endoftext|>, else by two or more blank lines; else the file is one document.
std::string_view documentSeparator(std::string_view text) {
    if (text.find(kEndOfText) != std::string_view::npos) return kEndOfText;
    if (text.find("\n\n\n") != std::string_view::npos) return "\n\n\n";
    if (text.find("\r\n\r\n\r\n") != std::string_view::npos) return "\r\n\r\n\r\n";
    return {};
}

void readPlainText(std::string_view text, RowReading& reading, const Visit& visit) {
    reading.container = Container::PlainText;
    const std::string_view separator = documentSeparator(text);
    if (separator.empty())
        reading.notes.emplace_back("the whole file is one document: no <|endoftext|> and no two blank lines in a row");
    else if (separator == kEndOfText)
        reading.notes.emplace_back("documents are separated by <|endoftext|>");
    else
        reading.notes.emplace_back("documents are separated by two or more blank lines");
    int64_t line = 1;
    size_t position = 0;
    while (position < text.size()) {
        const size_t found = separator.empty() ? std::string_view::npos : text.find(separator, position);
        const size_t end = found == std::string_view::npos ? text.size() : found;
        std::string_view document = text.substr(position, end - position);
        const size_t firstText = document.find_first_not_of("\r\n");
        if (firstText != std::string_view::npos && !isBlank(document)) {
            RawRow row;
            row.line =
                line + std::count(document.begin(), document.begin() + static_cast<std::ptrdiff_t>(firstText), '\n');
            document = document.substr(firstText, document.find_last_not_of("\r\n") + 1 - firstText);
            row.problem = textProblem(document);
            row.value.kind = RowValue::Kind::Object;
            if (row.problem.empty()) row.value.fields.push_back({"text", RowValue::ofText(std::string(document))});
            if (!visit(std::move(row))) return;
        }
        const size_t next = end + (found == std::string_view::npos ? 0 : separator.size());
        line += std::count(text.begin() + static_cast<std::ptrdiff_t>(position),
                           text.begin() + static_cast<std::ptrdiff_t>(next), '\n');
        position = next;
    }
}

// A file of several objects, one per line, is JSON lines whatever its name says.
bool looksLikeJsonLines(std::string_view text) {
    const size_t start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos || text[start] != '{') return false;
    const size_t lineEnd = text.find('\n', start);
    if (lineEnd == std::string_view::npos) return false;
    const size_t nextLine = text.find_first_not_of(" \t\r\n", lineEnd);
    if (nextLine == std::string_view::npos || text[nextLine] != '{') return false;
    JsonRowParser parser;
    return parser.parseObject(text.substr(start, lineEnd - start)).problem.empty();
}

// The first bytes that are not white space decide for names that say nothing.
std::string guessExtension(const std::filesystem::path& path) {
    const std::unique_ptr<ByteStream> stream = openByteStream(path);
    std::string head(4096, '\0');
    head.resize(stream->read(head.data(), head.size()));
    if (head.compare(0, 3, "\xEF\xBB\xBF") == 0) head.erase(0, 3);
    const size_t start = head.find_first_not_of(" \t\r\n");
    if (start != std::string::npos && head[start] == '{') return ".jsonl";
    if (start != std::string::npos && head[start] == '[') return ".json";
    throw Error{ErrorCode::InvalidArgument,
                "the name ends in nothing known and the text is not JSON: rename the file to .jsonl, .json, .csv, .tsv "
                "or .txt (each may be packed as .gz or .zst)"};
}

RowReading readKnown(const std::filesystem::path& path, const std::string& extension, int64_t maxLineBytes,
                     const Visit& visit) {
    RowReading reading;
    if (extension == ".jsonl" || extension == ".ndjson") {
        readJsonLines(path, maxLineBytes, reading, visit);
        return reading;
    }
    const std::string text = readWholeFile(path, kMaxWholeFileBytes);
    if (extension == ".csv" || extension == ".tsv") {
        readCsv(text, extension, maxLineBytes, reading, visit);
    } else if (extension == ".json") {
        if (looksLikeJsonLines(text))
            readJsonLines(path, maxLineBytes, reading, visit);
        else
            readJsonArray(text, maxLineBytes, reading, visit);
    } else {
        readPlainText(text, reading, visit);
    }
    return reading;
}

}  // namespace

RowReading readRows(const std::filesystem::path& path, int64_t maxLineBytes, const Visit& visit) {
    std::string extension = innerExtension(path);
    const bool isKnown = extension == ".jsonl" || extension == ".ndjson" || extension == ".json" ||
                         extension == ".csv" || extension == ".tsv" || extension == ".txt" || extension == ".md";
    try {
        if (extension == ".parquet" || extension == ".arrow")
            throw Error{ErrorCode::Unsupported,
                        "Parquet and Arrow files cannot be read: export the data as JSONL or CSV"};
        if (!isKnown) extension = guessExtension(path);
        return readKnown(path, extension, maxLineBytes, visit);
    } catch (const Error& error) {
        const std::string name = path.filename().string();
        const std::string what = error.what();
        if (what.find(name) != std::string::npos) throw;
        throw Error{error.code(), name + ": " + what};
    }
}

}  // namespace wb::training
