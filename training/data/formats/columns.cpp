// SPDX-License-Identifier: Apache-2.0
// Any text columns, for a template.json that names them. Without one, the columns that most rows have; of
// these, the ones that are filled in nearly every row must not be empty.
#include <algorithm>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

class ColumnsReader : public FormatReader {
public:
    void prepare(std::span<const RowValue* const> sample, const LoadOptions& options) override {
        m_required = options.promptColumns;
        m_filled = options.responseColumns;
        if (!m_required.empty() || !m_filled.empty()) return;
        for (const RowValue* row : sample) {
            for (const auto& [name, value] : row->fields) {
                if (std::find(m_required.begin(), m_required.end(), name) != m_required.end()) continue;
                const ColumnUse use = countUse(sample, name);
                if (2 * use.present <= sample.size() || 2 * use.text <= use.present) continue;
                m_required.push_back(name);
                if (4 * use.filled >= 3 * use.text) m_filled.push_back(name);
            }
        }
    }

    void read(const RowValue& row, RowSink& sink) const override {
        std::optional<std::string> problem;
        for (const std::string& column : m_required)
            if (!problem) problem = columnProblem(row, column, EmptyText::Allowed);
        for (const std::string& column : m_filled)
            if (!problem) problem = columnProblem(row, column, EmptyText::Refused);
        Example example;
        example.columns = textColumns(row);
        const bool isAllEmpty = std::all_of(example.columns.begin(), example.columns.end(),
                                            [](const auto& column) { return column.second.empty(); });
        if (!problem && isAllEmpty) problem = "the row has no column with text";
        if (problem) return sink.reject(*problem);
        sink.accept(std::move(example));
    }

private:
    struct ColumnUse {
        size_t present = 0;
        size_t text = 0;
        size_t filled = 0;
    };

    static ColumnUse countUse(std::span<const RowValue* const> sample, const std::string& name) {
        ColumnUse use;
        for (const RowValue* row : sample) {
            const RowValue* value = row->find(name);
            if (value == nullptr) continue;
            ++use.present;
            if (value->isText()) ++use.text;
            if (value->isText() && !value->text.empty()) ++use.filled;
        }
        return use;
    }

    std::vector<std::string> m_required;  // must be text
    std::vector<std::string> m_filled;    // must also not be empty
};

}  // namespace

std::unique_ptr<FormatReader> makeColumnsReader() {
    return std::make_unique<ColumnsReader>();
}

}  // namespace wb::training
