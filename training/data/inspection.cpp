// SPDX-License-Identifier: Apache-2.0
#include "training/data/inspection.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.h"
#include "training/data/byte_stream.h"
#include "training/data/byte_tokenizer.h"
#include "training/data/templated_dataset.h"
#include "training/data/token_stream.h"

namespace wb::training {
namespace {

struct Loaded {
    Dataset dataset;
    std::optional<core::PromptTemplate> promptTemplate;
    std::string problem;
};

// A data set whose template is not settled is still worth a look, unless the template was named.
Loaded load(const std::filesystem::path& path, const InspectOptions& options) {
    if (options.templateName != "auto") {
        TemplatedDataset both = loadWithTemplate(path, options.templateName, options.modelFolder, options.load);
        return {std::move(both.dataset), std::move(both.promptTemplate), {}};
    }
    Loaded loaded;
    loaded.dataset = loadDataset(path, options.load);
    if (loaded.dataset.examples.empty()) {
        loaded.problem = "no row could be read";
        return loaded;
    }
    try {
        TemplatedDataset both = loadWithTemplate(path, options.templateName, options.modelFolder, options.load);
        loaded.dataset = std::move(both.dataset);
        loaded.promptTemplate = std::move(both.promptTemplate);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::InvalidArgument && error.code() != ErrorCode::NotFound) throw;
        loaded.problem = error.what();
    }
    return loaded;
}

std::string wholeRow(const Example& example) {
    std::string text;
    for (const auto& [name, value] : example.columns) text += (text.empty() ? "" : "\n") + value;
    if (!example.messages.empty()) text.clear();
    for (const core::ChatMessage& message : example.messages) text += (text.empty() ? "" : "\n") + message.content;
    return text;
}

// Rows without a template: their whole text, of which nothing is known to be an answer.
std::vector<TokenizedExample> measureRows(const Dataset& dataset, const core::Tokenizer& tokenizer, int threads) {
    std::vector<std::string> texts;
    std::vector<std::string_view> documents;
    for (const Example& example : dataset.examples) texts.push_back(wholeRow(example));
    for (const std::string& text : texts) documents.emplace_back(text);
    const TokenStream stream = tokenizeDocuments(documents, tokenizer, threads);
    std::vector<TokenizedExample> rows(dataset.examples.size());
    size_t document = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
        if (texts[i].empty()) continue;  // left out of the stream
        const auto begin = stream.ids.begin() + stream.documentStarts[document];
        rows[i].ids.assign(begin, begin + stream.documentLengths[document]);
        rows[i].trained.assign(rows[i].ids.size(), 1);
        rows[i].trained.front() = 0;
        rows[i].contentHash = textHash(texts[i]);
        rows[i].promptHash = rows[i].contentHash;
        cutExample(rows[i], 0);
        ++document;
    }
    return rows;
}

bool isRunningText(const Dataset& dataset) {
    const std::string extension = innerExtension(dataset.path);
    return dataset.kind == DatasetKind::Text && (extension == ".txt" || extension == ".md");
}

int64_t chooseLimit(const std::vector<TokenizedExample>& rows, const InspectOptions& options) {
    if (options.maxLength > 0) return options.maxLength;
    std::vector<int64_t> lengths;
    for (const TokenizedExample& row : rows)
        if (!row.ids.empty()) lengths.push_back(row.fullLength);
    const int64_t limit = lengthStatistics(lengths).p99;
    return options.modelLimit > 0 ? std::min(limit, options.modelLimit) : limit;
}

// Tool definitions that the template leaves out would be missed by the model without a word.
void noteUnwrittenTools(DataInspection& inspection) {
    const auto& examples = inspection.dataset.examples;
    const auto hasTools = [](const Example& example) { return !example.toolsJson.empty(); };
    const auto first = std::find_if(examples.begin(), examples.end(), hasTools);
    if (first == examples.end() || !inspection.promptTemplate) return;
    const core::PromptTemplate& promptTemplate = *inspection.promptTemplate;
    try {
        if (promptTemplate.renderRow(first->messages, first->toolsJson).text !=
            promptTemplate.renderRow(first->messages, {}).text)
            return;
    } catch (const Error&) {
        return;  // the row is reported as bad by its own error
    }
    inspection.dataset.notes.push_back(
        fmt::format("{} rows define tools, which template '{}' does not write: the model will not see them",
                    std::count_if(examples.begin(), examples.end(), hasTools), promptTemplate.name()));
}

std::vector<InspectedRow> sampleRows(const DataInspection& inspection, const core::Tokenizer& tokenizer,
                                     const InspectOptions& options) {
    std::vector<InspectedRow> samples;
    if (!inspection.promptTemplate || isRunningText(inspection.dataset)) return samples;
    const ExampleTokenizer exampleTokenizer(inspection.dataset, *inspection.promptTemplate, tokenizer);
    for (const Example& example : inspection.dataset.examples) {
        if (static_cast<int>(samples.size()) >= options.sampleRows) break;
        InspectedRow row;
        row.line = example.sourceLine;
        try {
            row.tokens = exampleTokenizer.tokenize(example, {0, options.trainOn, options.answer});
        } catch (const Error&) {
            continue;  // already among the bad lines
        }
        for (const core::TokenId id : row.tokens.ids) row.tokenTexts.push_back(tokenizer.tokenBytes(id));
        for (const core::TokenId id : row.tokens.sourceIds) row.sourceTexts.push_back(tokenizer.tokenBytes(id));
        samples.push_back(std::move(row));
    }
    return samples;
}

}  // namespace

bool DataInspection::isReady() const {
    return promptTemplate.has_value() && audit.badLines.empty() && teachingRows == dataset.rows;
}

std::string DataInspection::summary() const {
    if (!promptTemplate)
        return fmt::format("{} of {} rows can be read; nothing can be trained yet: {}", dataset.examples.size(),
                           dataset.rows, templateProblem);
    const int64_t open = dataset.rows - teachingRows;
    const int64_t saved = savedByShortening();
    const std::string how =
        saved == 0 ? std::string()
                   : fmt::format(
                         " {} of them would teach nothing at this length; training (long_rows = shorten) cuts "
                         "the end of the longest input instead of the answer.",
                         saved);
    if (open == 0) return fmt::format("All {} rows will teach.{}", dataset.rows, how);
    return fmt::format("{} of {} rows will teach; {} need{} a decision.{}", teachingRows, dataset.rows, open,
                       open == 1 ? "s" : "", how);
}

int64_t DataInspection::savedByShortening() const {
    const std::vector<int64_t>& shortened = audit.shortenedLines;  // in ascending order
    return std::count_if(audit.zeroTargetLines.begin(), audit.zeroTargetLines.end(),
                         [&](int64_t line) { return std::binary_search(shortened.begin(), shortened.end(), line); });
}

DataInspection inspectDataset(const std::filesystem::path& path, const core::Tokenizer* tokenizer,
                              const InspectOptions& options) {
    const ByteTokenizer byteTokenizer;
    const core::Tokenizer& counting = tokenizer != nullptr ? *tokenizer : byteTokenizer;
    Loaded loaded = load(path, options);
    DataInspection inspection;
    inspection.dataset = std::move(loaded.dataset);
    inspection.promptTemplate = std::move(loaded.promptTemplate);
    inspection.templateProblem = std::move(loaded.problem);
    inspection.tokenizerKind = counting.kind();

    std::vector<BadLine> templateErrors;
    std::vector<TokenizedExample> rows;
    const bool isText = isRunningText(inspection.dataset);
    if (inspection.promptTemplate && !isText)
        rows = tokenizeDataset(inspection.dataset, *inspection.promptTemplate, counting,
                               {0, options.trainOn, options.answer}, options.threads, templateErrors);
    else
        rows = measureRows(inspection.dataset, counting, options.threads);

    const int64_t limit = chooseLimit(rows, options);
    std::vector<int32_t> usable;
    std::vector<uint64_t> keys;
    for (size_t i = 0; i < rows.size(); ++i) {
        // Running text is cut into windows, which loses nothing.
        if (!isText) {
            rows[i].isShortened = canShorten(rows[i], limit);
            cutExample(rows[i], limit);
        }
        if (rows[i].labelTokens == 0 && !rows[i].isShortened) continue;
        usable.push_back(static_cast<int32_t>(i));
        keys.push_back(rows[i].promptHash);
    }
    inspection.teachingRows = static_cast<int64_t>(usable.size());
    inspection.split = splitByGroup(usable, keys, options.split);
    inspection.audit = auditDataset(inspection.dataset, rows, templateErrors, limit, &inspection.split);
    noteUnwrittenTools(inspection);
    inspection.samples = sampleRows(inspection, counting, options);
    return inspection;
}

}  // namespace wb::training
