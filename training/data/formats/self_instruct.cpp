// SPDX-License-Identifier: Apache-2.0
// {"instruction": "...", "instances": [{"input": "...", "output": "..."}]}: every instance becomes an Alpaca row.
#include <fmt/format.h>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

class SelfInstructReader : public FormatReader {
public:
    SelfInstructReader() {
        m_mapping = {{"instruction", "input"}, "output"};
        m_notes.emplace_back("every entry of 'instances' is one row with the columns instruction, input and output");
    }

    void read(const RowValue& row, RowSink& sink) const override {
        const RowValue* instances = row.find("instances");
        if (instances == nullptr || !instances->isList() || instances->items.empty())
            return sink.reject("'instances' is no list, or an empty one");
        if (const auto problem = columnProblem(row, "instruction", EmptyText::Refused)) return sink.reject(*problem);
        for (size_t i = 0; i < instances->items.size(); ++i) {
            const RowValue& instance = instances->items[i];
            std::optional<std::string> problem = columnProblem(instance, "output", EmptyText::Refused);
            if (!problem && instance.find("input") != nullptr)
                problem = columnProblem(instance, "input", EmptyText::Allowed);
            if (problem) {
                sink.reject(fmt::format("instance {}: {}", i + 1, *problem));
                continue;
            }
            Example example;
            example.columns = textColumns(row);
            const std::string* input = instance.findText("input");
            example.columns["input"] = input != nullptr ? *input : std::string();
            example.columns["output"] = *instance.findText("output");
            sink.accept(std::move(example));
        }
    }
};

}  // namespace

std::unique_ptr<FormatReader> makeSelfInstructReader() {
    return std::make_unique<SelfInstructReader>();
}

}  // namespace wb::training
