// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wb::training {

struct CsvRecord {
    int64_t line = 0;  // on which the record starts
    std::vector<std::string> cells;
    std::string problem;  // why the cells are not to be trusted; empty if they are
};

// Records of a CSV text as RFC 4180 writes them: cells may be quoted, quoted cells may hold line breaks and doubled
// quotes. Borrows the text.
class CsvReader {
public:
    CsvReader(std::string_view text, char delimiter) : m_text(text), m_delimiter(delimiter) {}

    // The next record, or nothing at the end. Blank lines are skipped and counted.
    std::optional<CsvRecord> next();
    int64_t blankLines() const { return m_blankLines; }

private:
    std::string readCell(CsvRecord& record);
    void endLine();

    std::string_view m_text;
    char m_delimiter;
    size_t m_position = 0;
    int64_t m_line = 1;
    int64_t m_blankLines = 0;
};

// The character that separates the cells of the first line: comma, semicolon or tab, whichever occurs most outside
// quotes.
char detectDelimiter(std::string_view text);

}  // namespace wb::training
