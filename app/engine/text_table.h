// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace wb::app {

// Columns of text for a terminal, two spaces apart, as wide as their longest cell; UTF-8 counts by characters.
class TextTable {
public:
    // No heading line if `heading` is empty.
    explicit TextTable(std::vector<std::string> heading);
    void add(std::vector<std::string> cells);
    std::string text() const;

private:
    std::vector<std::vector<std::string>> m_rows;
};

}  // namespace wb::app
