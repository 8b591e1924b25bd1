// SPDX-License-Identifier: Apache-2.0
// Rows of training data: the first byte chooses JSON lines, a JSON array or CSV, the rest is the file. Every row goes
// through every format.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "training/data/csv_reader.h"
#include "training/data/dataset_formats.h"
#include "training/data/json_array.h"
#include "training/data/line_source.h"

namespace {

using namespace wb::training;

// The bytes as a stream, a few at a time so that lines cross the reader's blocks.
class MemoryStream : public ByteStream {
public:
    explicit MemoryStream(std::string_view bytes) : m_bytes(bytes) {}

    size_t read(char* out, size_t capacity) override {
        const size_t count = m_bytes.copy(out, std::min<size_t>(capacity, 61));
        m_bytes.remove_prefix(count);
        return count;
    }

private:
    std::string_view m_bytes;
};

class CountingSink : public RowSink {
public:
    void accept(Example example) override {
        ++count;
        for (const auto& [name, text] : example.columns)
            if (findInvalidUtf8(text)) std::abort();  // nothing but UTF-8 may reach a tokenizer
        for (const wb::core::ChatMessage& message : example.messages)
            if (findInvalidUtf8(message.content)) std::abort();
    }
    void reject(std::string reason) override {
        ++count;
        if (reason.empty()) std::abort();
    }
    void warn(std::string) override {}

    int count = 0;
};

void readJson(JsonRowParser& parser, std::string_view text, std::vector<RowValue>& rows) {
    JsonRowParser::Result result = parser.parseObject(text);
    if (!result.problem.empty()) return;
    const std::string again = result.row.toJson();
    if (!parser.parseObject(again).problem.empty()) std::abort();  // what is written must be readable
    rows.push_back(std::move(result.row));
}

std::vector<RowValue> readRows(uint8_t kind, std::string_view text) {
    std::vector<RowValue> rows;
    JsonRowParser parser;
    if (kind % 3 == 0) {
        LineSource lines(std::make_unique<MemoryStream>(text), 4096);
        while (const auto line = lines.next())
            if (!line->isTooLong) readJson(parser, line->text, rows);
    } else if (kind % 3 == 1) {
        for (const JsonElement& element : findJsonRows(text).elements)
            if (element.problem.empty()) readJson(parser, element.text, rows);
    } else {
        CsvReader reader(text, detectDelimiter(text));
        while (const auto record = reader.next()) {
            RowValue row;
            row.kind = RowValue::Kind::Object;
            for (size_t i = 0; i < record->cells.size(); ++i)
                if (!findInvalidUtf8(record->cells[i]))
                    row.fields.push_back({"c" + std::to_string(i), RowValue::ofText(record->cells[i])});
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::vector<RowValue> rows =
        readRows(data[0], std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
    std::vector<const RowValue*> sample;
    for (const RowValue& row : rows) sample.push_back(&row);
    const LoadOptions options;
    detectFormat(sample, options);
    for (const DatasetFormat& format : datasetFormats()) {
        const auto reader = format.makeReader();
        reader->prepare(sample, options);
        for (const RowValue& row : rows) {
            CountingSink sink;
            reader->read(row, sink);
            if (sink.count == 0) std::abort();  // a row would be lost silently
        }
    }
    return 0;
}
