// SPDX-License-Identifier: Apache-2.0
#include "training/data/csv_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wb::training {

// Steps over the line end at the position, if there is one.
void CsvReader::endLine() {
    if (m_position < m_text.size() && m_text[m_position] == '\r') ++m_position;
    if (m_position < m_text.size() && m_text[m_position] == '\n') ++m_position;
    ++m_line;
}

std::string CsvReader::readCell(CsvRecord& record) {
    std::string cell;
    const bool isQuoted = m_position < m_text.size() && m_text[m_position] == '"';
    if (isQuoted) {
        const int64_t openedOn = m_line;
        ++m_position;
        while (true) {
            if (m_position == m_text.size()) {
                record.problem = fmt::format("the quote opened on line {} is never closed", openedOn);
                return cell;
            }
            const char c = m_text[m_position++];
            if (c == '\n') ++m_line;
            if (c != '"') {
                cell += c;
            } else if (m_position < m_text.size() && m_text[m_position] == '"') {
                cell += '"';
                ++m_position;
            } else {
                break;
            }
        }
    }
    const auto endsCell = [this](char c) { return c == m_delimiter || c == '\n' || c == '\r'; };
    while (m_position < m_text.size() && !endsCell(m_text[m_position])) {
        if (isQuoted && record.problem.empty())
            record.problem = fmt::format("cell {}: text after the closing quote; double the quotes inside a cell",
                                         record.cells.size() + 1);
        if (m_text[m_position] == '"' && record.problem.empty())
            record.problem = fmt::format("cell {}: a quote inside a cell that is not quoted", record.cells.size() + 1);
        cell += m_text[m_position++];
    }
    return cell;
}

std::optional<CsvRecord> CsvReader::next() {
    while (m_position < m_text.size() && (m_text[m_position] == '\n' || m_text[m_position] == '\r')) {
        endLine();
        ++m_blankLines;
    }
    if (m_position >= m_text.size()) return std::nullopt;
    CsvRecord record;
    record.line = m_line;
    while (true) {
        std::string cell = readCell(record);
        record.cells.push_back(std::move(cell));
        if (m_position >= m_text.size()) break;
        if (m_text[m_position] != m_delimiter) {
            endLine();
            break;
        }
        ++m_position;
    }
    return record;
}

char detectDelimiter(std::string_view text) {
    constexpr std::array<char, 3> kCandidates{',', ';', '\t'};
    std::array<int, 3> counts{};
    bool isInsideQuotes = false;
    for (const char c : text) {
        if (c == '"') isInsideQuotes = !isInsideQuotes;
        if (c == '\n' && !isInsideQuotes) break;
        for (size_t i = 0; i < kCandidates.size(); ++i)
            if (c == kCandidates[i] && !isInsideQuotes) ++counts[i];
    }
    return kCandidates[static_cast<size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())];
}

}  // namespace wb::training
