// SPDX-License-Identifier: Apache-2.0
// {"instruction": "...", "input": "...", "output": "..."}; input may be empty or missing.
#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

class AlpacaReader : public FormatReader {
public:
    AlpacaReader() { m_mapping = {{"instruction", "input"}, "output"}; }

    void read(const RowValue& row, RowSink& sink) const override {
        std::optional<std::string> problem = columnProblem(row, "instruction", EmptyText::Refused);
        if (!problem) problem = columnProblem(row, "output", EmptyText::Refused);
        const RowValue* input = row.find("input");
        const bool hasInput = input != nullptr && input->kind != RowValue::Kind::Null;
        if (!problem && hasInput) problem = columnProblem(row, "input", EmptyText::Allowed);
        if (problem) return sink.reject(*problem);
        Example example;
        example.columns = textColumns(row);
        example.columns.try_emplace("input");
        sink.accept(std::move(example));
    }
};

}  // namespace

std::unique_ptr<FormatReader> makeAlpacaReader() {
    return std::make_unique<AlpacaReader>();
}

}  // namespace wb::training
