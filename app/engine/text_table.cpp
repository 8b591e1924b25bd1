// SPDX-License-Identifier: Apache-2.0
#include "app/engine/text_table.h"

#include <algorithm>

namespace wb::app {
namespace {

size_t characters(const std::string& text) {
    const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
    return static_cast<size_t>(std::ranges::count_if(text, begins));
}

}  // namespace

TextTable::TextTable(std::vector<std::string> heading) {
    if (!heading.empty()) m_rows.push_back(std::move(heading));
}

void TextTable::add(std::vector<std::string> cells) {
    m_rows.push_back(std::move(cells));
}

std::string TextTable::text() const {
    std::vector<size_t> widths;
    for (const auto& row : m_rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    }
    std::string out;
    for (const auto& row : m_rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] + 2 - characters(row[i]), ' ');
        }
        while (!line.empty() && line.back() == ' ') line.pop_back();
        out += line + "\n";
    }
    return out;
}

}  // namespace wb::app
