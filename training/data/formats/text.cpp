// SPDX-License-Identifier: Apache-2.0
// {"text": "..."}: a document per row, all of which is trained. Plain-text files arrive here too.
#include <array>

#include "training/data/dataset_formats.h"

namespace wb::training {
namespace {

constexpr std::array<std::string_view, 4> kTextColumns{"text", "content", "document", "body"};

class TextReader : public FormatReader {
public:
    void prepare(std::span<const RowValue* const> sample, const LoadOptions&) override {
        double best = 0.0;
        for (const std::string_view column : kTextColumns) {
            const double share = shareWithText(sample, column);
            if (share > best) m_column = column;
            best = std::max(best, share);
        }
        if (m_column != "text") m_notes.push_back("the text is column '" + m_column + "'");
    }

    void read(const RowValue& row, RowSink& sink) const override {
        if (const auto problem = columnProblem(row, m_column, EmptyText::Refused)) return sink.reject(*problem);
        Example example;
        example.columns = textColumns(row);
        if (m_column != "text") example.columns["text"] = *row.findText(m_column);
        sink.accept(std::move(example));
    }

private:
    std::string m_column = "text";
};

}  // namespace

std::unique_ptr<FormatReader> makeTextReader() {
    return std::make_unique<TextReader>();
}

}  // namespace wb::training
