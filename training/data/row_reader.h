// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "training/data/row_value.h"

namespace wb::training {

// A row before anything is known about its format.
struct RawRow {
    int64_t line = 0;
    RowValue value;
    std::string problem;  // the row could not be read; empty if it was
    std::string warning;
};

enum class Container { JsonLines, JsonArray, Csv, PlainText };

struct RowReading {
    Container container = Container::JsonLines;
    int64_t blankLines = 0;
    std::vector<std::string> columnNames;  // of a CSV header
    std::vector<std::string> notes;
};

// Reads every row of a file and hands it to `visit`, which returns false to stop early. Rows of plain text are objects
// with the one column "text". Throws as loadDataset.
RowReading readRows(const std::filesystem::path& path, int64_t maxLineBytes,
                    const std::function<bool(RawRow&&)>& visit);

}  // namespace wb::training
