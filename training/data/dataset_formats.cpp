// SPDX-License-Identifier: Apache-2.0
#include "training/data/dataset_formats.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "kernels/base/error.h"

namespace wb::training {
namespace {

// Specific shapes come before general ones: a row with "messages" and "text" is a conversation.
constexpr std::array<DatasetFormat, 9> kFormats{{
    {"messages", "OpenAI messages", "'messages', a list of role and content", DatasetKind::Conversation,
     makeMessagesReader},
    {"sharegpt", "ShareGPT conversations", "'conversations', a list of from and value", DatasetKind::Conversation,
     makeShareGptReader},
    {"squad", "SQuAD (nested or with an answers list)", "paragraphs with questions, or an 'answers' object",
     DatasetKind::PromptResponse, makeSquadReader},
    {"self_instruct", "Instructions with instances", "'instruction' and a list of 'instances'",
     DatasetKind::PromptResponse, makeSelfInstructReader},
    {"triples", "Triples to text (DART)", "'tripleset' and a list of 'annotations'", DatasetKind::PromptResponse,
     makeTriplesReader},
    {"alpaca", "Alpaca instructions", "'instruction' and 'output'", DatasetKind::PromptResponse, makeAlpacaReader},
    {"prompt_response", "Prompt and response", "a prompt and a response column", DatasetKind::PromptResponse,
     makePromptResponseReader},
    {"text", "Plain text", "one text column", DatasetKind::Text, makeTextReader},
    {"columns", "Columns for a template", "the same text columns", DatasetKind::Columns, makeColumnsReader},
}};

// Counts what a format makes of the sample without keeping it.
class CountingSink : public RowSink {
public:
    void accept(Example) override { ++accepted; }
    void reject(std::string) override { ++rejected; }
    void warn(std::string) override {}

    int64_t accepted = 0;
    int64_t rejected = 0;
};

double shareOfReadableRows(const FormatReader& reader, std::span<const RowValue* const> sample, int64_t& rows) {
    rows = 0;
    for (const RowValue* row : sample) {
        CountingSink sink;
        reader.read(*row, sink);
        if (sink.accepted > 0) ++rows;
    }
    return sample.empty() ? 0.0 : static_cast<double>(rows) / static_cast<double>(sample.size());
}

}  // namespace

void FormatReader::prepare(std::span<const RowValue* const>, const LoadOptions&) {}

std::span<const DatasetFormat> datasetFormats() {
    return kFormats;
}

const DatasetFormat& findDatasetFormat(std::string_view name) {
    const auto found =
        std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& format) { return format.name == name; });
    if (found != kFormats.end()) return *found;
    throw Error{ErrorCode::NotFound,
                fmt::format("unknown data format '{}': use auto, {}", name, fmt::join(datasetFormatNames(), ", "))};
}

std::vector<std::string> datasetFormatNames() {
    std::vector<std::string> names;
    for (const DatasetFormat& format : kFormats) names.emplace_back(format.name);
    return names;
}

Detection detectFormat(std::span<const RowValue* const> sample, const LoadOptions& options) {
    // Below this share a specific shape is chance, and the general "columns" may win.
    constexpr double kConvincing = 0.5;
    struct Candidate {
        const DatasetFormat* format;
        FormatGuess guess;
    };
    std::vector<Candidate> candidates;
    for (const DatasetFormat& format : kFormats) {
        const std::unique_ptr<FormatReader> reader = format.makeReader();
        reader->prepare(sample, options);
        int64_t rows = 0;
        const double share = shareOfReadableRows(*reader, sample, rows);
        if (rows == 0) continue;
        std::string reason = fmt::format("{} of {} sampled rows have {}", rows, sample.size(), format.rowsHave);
        if (const std::string mapping = reader->mapping().describe(); !mapping.empty()) reason += ": " + mapping;
        candidates.push_back(
            {&format, {std::string(format.name), std::string(format.title), share, std::move(reason)}});
    }
    Detection detection;
    if (candidates.empty()) return detection;
    const auto rank = [&](const Candidate& candidate) {
        const bool isGeneral = candidate.format->kind == DatasetKind::Columns;
        return candidate.guess.share + (!isGeneral && candidate.guess.share >= kConvincing ? 1.0 : 0.0);
    };
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](const Candidate& a, const Candidate& b) { return rank(a) > rank(b); });
    detection.format = candidates.front().format;
    detection.guess = candidates.front().guess;
    for (size_t i = 1; i < candidates.size(); ++i) detection.alternatives.push_back(candidates[i].guess);
    return detection;
}

std::optional<std::string> columnProblem(const RowValue& row, std::string_view name, EmptyText empty) {
    const RowValue* value = row.find(name);
    if (value == nullptr) {
        std::vector<std::string_view> names;
        for (const auto& [key, unused] : row.fields)
            if (names.size() < 8) names.emplace_back(key);
        return fmt::format("column '{}' is missing (the row has {}{})", name,
                           names.empty() ? "no columns" : fmt::format("{}", fmt::join(names, ", ")),
                           row.fields.size() > names.size() ? ", ..." : "");
    }
    if (!value->isText()) {
        const bool isScalar = value->kind == RowValue::Kind::Number || value->kind == RowValue::Kind::Bool;
        return fmt::format("column '{}' is {}, not text{}", name, value->describe(),
                           isScalar ? "; put it in quotes if it is meant as text" : "");
    }
    if (empty == EmptyText::Refused && value->text.empty()) return fmt::format("column '{}' is empty", name);
    return std::nullopt;
}

core::PromptColumns textColumns(const RowValue& row) {
    core::PromptColumns columns;
    for (const auto& [name, value] : row.fields)
        if (value.isText()) columns.emplace(name, value.text);
    return columns;
}

double shareWithText(std::span<const RowValue* const> sample, std::string_view column) {
    if (sample.empty()) return 0.0;
    const auto count = std::count_if(sample.begin(), sample.end(),
                                     [&](const RowValue* row) { return row->findText(column) != nullptr; });
    return static_cast<double>(count) / static_cast<double>(sample.size());
}

}  // namespace wb::training
