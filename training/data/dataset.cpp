// SPDX-License-Identifier: Apache-2.0
#include "training/data/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "kernels/base/error.h"
#include "training/data/dataset_formats.h"
#include "training/data/row_reader.h"

namespace wb::training {
namespace {

constexpr size_t kSampleRows = 256;  // looked at before the format is settled
constexpr size_t kMaxColumnNames = 256;

// Builds a data set row by row: collects a sample, settles the format, then reads on.
class DatasetLoader : public RowSink {
public:
    DatasetLoader(Dataset& dataset, const LoadOptions& options) : m_dataset(dataset), m_options(options) {}

    bool take(RawRow&& row) {
        if (m_reader != nullptr) {
            process(row);
        } else {
            m_sample.push_back(std::move(row));
            if (m_sample.size() == kSampleRows) settle();
        }
        return !isFull();
    }

    void finish() {
        if (m_reader == nullptr) settle();
        Dataset& data = m_dataset;
        if (isFull()) data.notes.push_back(fmt::format("reading stopped after {} rows, as asked", m_options.maxRows));
        data.rows = static_cast<int64_t>(data.examples.size() + data.badLines.size());
        const auto byLine = [](const BadLine& a, const BadLine& b) { return a.line < b.line; };
        std::stable_sort(data.badLines.begin(), data.badLines.end(), byLine);
        std::stable_sort(data.warnings.begin(), data.warnings.end(), byLine);
    }

    void accept(Example example) override {
        if (const auto problem = missingColumn(example)) return reject(*problem);
        example.sourceLine = m_line;
        m_dataset.examples.push_back(std::move(example));
    }
    void reject(std::string reason) override { m_dataset.badLines.push_back({m_line, std::move(reason)}); }
    void warn(std::string reason) override { m_dataset.warnings.push_back({m_line, std::move(reason)}); }

private:
    bool isFull() const {
        return m_options.maxRows > 0 &&
               static_cast<int64_t>(m_dataset.examples.size() + m_dataset.badLines.size()) >= m_options.maxRows;
    }

    void settle() {
        std::vector<const RowValue*> sample;
        for (const RawRow& row : m_sample)
            if (row.problem.empty()) sample.push_back(&row.value);
        const DatasetFormat* format = chooseFormat(sample);
        m_reader = format->makeReader();
        m_reader->prepare(sample, m_options);
        m_dataset.kind = format->kind;
        m_dataset.mapping = m_reader->mapping();
        if (m_dataset.mapping.isKnown()) m_dataset.notes.push_back(m_dataset.mapping.describe());
        m_dataset.notes.insert(m_dataset.notes.end(), m_reader->notes().begin(), m_reader->notes().end());
        for (const RawRow& row : m_sample) {
            if (isFull()) break;
            process(row);
        }
        m_sample = {};
    }

    const DatasetFormat* chooseFormat(const std::vector<const RowValue*>& sample) {
        Detection detection = detectFormat(sample, m_options);
        m_dataset.alternatives = std::move(detection.alternatives);
        const DatasetFormat& columns = findDatasetFormat("columns");
        if (m_options.format != "auto") {
            const DatasetFormat& chosen = findDatasetFormat(m_options.format);
            if (detection.format != nullptr && detection.format != &chosen)
                m_dataset.alternatives.insert(m_dataset.alternatives.begin(), detection.guess);
            std::erase_if(m_dataset.alternatives, [&](const FormatGuess& guess) { return guess.name == chosen.name; });
            m_dataset.format = {std::string(chosen.name), std::string(chosen.title), 0.0, "chosen by hand"};
            return &chosen;
        }
        if (detection.format == nullptr) {
            m_dataset.format = {std::string(columns.name), std::string(columns.title), 0.0,
                                sample.empty() ? "no row could be read" : "no known shape fits these rows"};
            return &columns;
        }
        m_dataset.format = detection.guess;
        if (detection.format != &columns && templateColumnsAreTopLevel(sample)) {
            m_dataset.alternatives.insert(m_dataset.alternatives.begin(), detection.guess);
            std::erase_if(m_dataset.alternatives, [](const FormatGuess& guess) { return guess.name == "columns"; });
            m_dataset.format = {std::string(columns.name), std::string(columns.title), 1.0,
                                fmt::format("the template names the columns {}", fmt::join(requiredColumns(), ", "))};
            return &columns;
        }
        return detection.format;
    }

    std::vector<std::string> requiredColumns() const {
        std::vector<std::string> names = m_options.promptColumns;
        names.insert(names.end(), m_options.responseColumns.begin(), m_options.responseColumns.end());
        return names;
    }

    // Whether most rows have the template's columns themselves, so that no format has to make them.
    bool templateColumnsAreTopLevel(const std::vector<const RowValue*>& sample) const {
        const std::vector<std::string> names = requiredColumns();
        if (names.empty()) return false;
        const auto hasAll = [&](const RowValue* row) {
            return std::all_of(names.begin(), names.end(),
                               [&](const auto& name) { return row->find(name) != nullptr; });
        };
        return 2 * static_cast<size_t>(std::count_if(sample.begin(), sample.end(), hasAll)) >= sample.size();
    }

    void process(const RawRow& row) {
        m_line = row.line;
        noteColumns(row.value);
        if (!row.problem.empty()) return reject(row.problem);
        if (!row.warning.empty()) warn(row.warning);
        m_reader->read(row.value, *this);
    }

    std::optional<std::string> missingColumn(const Example& example) const {
        if (!example.messages.empty()) return std::nullopt;
        for (const std::string& name : requiredColumns())
            if (!example.columns.contains(name))
                return fmt::format("column '{}', which the template names, is missing", name);
        for (const std::string& name : m_options.responseColumns)
            if (example.columns.at(name).empty()) return fmt::format("column '{}' is empty", name);
        return std::nullopt;
    }

    void noteColumns(const RowValue& row) {
        for (const auto& [name, value] : row.fields)
            if (m_dataset.columnNames.size() < kMaxColumnNames && m_columnsSeen.insert(name).second)
                m_dataset.columnNames.push_back(name);
    }

    Dataset& m_dataset;
    const LoadOptions& m_options;
    std::unique_ptr<FormatReader> m_reader;
    std::vector<RawRow> m_sample;
    std::unordered_set<std::string> m_columnsSeen;
    int64_t m_line = 0;
};

}  // namespace

std::string ColumnMapping::describe() const {
    if (!isKnown()) return {};
    return fmt::format("prompt = {}, response = {}", fmt::join(prompt, " + "), response);
}

Dataset loadDataset(const std::filesystem::path& path, const LoadOptions& options) {
    if (options.format != "auto") findDatasetFormat(options.format);
    Dataset dataset;
    dataset.path = path;
    DatasetLoader loader(dataset, options);
    RowReading reading =
        readRows(path, options.maxLineBytes, [&](RawRow&& row) { return loader.take(std::move(row)); });
    loader.finish();
    dataset.blankLines = reading.blankLines;
    dataset.notes.insert(dataset.notes.begin(), reading.notes.begin(), reading.notes.end());
    if (dataset.rows == 0)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: there is not a single row in it", path.filename().string())};
    return dataset;
}

}  // namespace wb::training
