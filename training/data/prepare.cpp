// SPDX-License-Identifier: Apache-2.0
#include "training/data/prepare.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/run/sha256.h"
#include "kernels/base/error.h"
#include "training/data/packer.h"
#include "training/data/token_stream.h"

namespace wb::training {
namespace {

constexpr size_t kNamedLines = 8;  // in an error text; the audit has all

std::string nameLines(const std::vector<int64_t>& lines) {
    std::string text;
    for (size_t i = 0; i < std::min(lines.size(), kNamedLines); ++i)
        text += fmt::format("{}{}", i > 0 ? ", " : "", lines[i]);
    if (lines.size() > kNamedLines) text += fmt::format(" and {} more", lines.size() - kNamedLines);
    return text;
}

[[noreturn]] void refuse(const Dataset& dataset, const std::string& what) {
    throw Error{ErrorCode::InvalidArgument, dataset.path.filename().string() + ": " + what};
}

// The tokenised rows of one file with what its template could not take.
struct Rows {
    std::vector<TokenizedExample> examples;
    std::vector<BadLine> templateErrors;
};

Rows tokenizeRows(const Dataset& dataset, const core::PromptTemplate& promptTemplate, const core::Tokenizer& tokenizer,
                  const PrepareOptions& options) {
    Rows rows;
    rows.examples = tokenizeDataset(dataset, promptTemplate, tokenizer, {0, options.trainOn, options.answer},
                                    options.threads, rows.templateErrors);
    return rows;
}

int64_t chooseMaxLength(const Rows& rows, const PrepareOptions& options) {
    int64_t maxLength = options.maxLength;
    if (maxLength == 0) {
        std::vector<int64_t> lengths;
        for (const TokenizedExample& row : rows.examples)
            if (!row.ids.empty()) lengths.push_back(row.fullLength);
        maxLength = std::max<int64_t>(lengthStatistics(lengths).p99, 2);
        if (options.modelLimit > 0) maxLength = std::min(maxLength, options.modelLimit);
    }
    if (maxLength < 2)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("the maximum length is {}: at least 2 tokens are needed to learn one", maxLength)};
    if (options.modelLimit > 0 && maxLength > options.modelLimit)
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("the maximum length is {}, but the model takes {} tokens: lower it", maxLength,
                                options.modelLimit)};
    return maxLength;
}

void checkBadLines(const Dataset& dataset, const Rows& rows, const PrepareOptions& options) {
    if (options.badLines == core::RowPolicy::Skip) return;
    std::vector<BadLine> all = dataset.badLines;
    all.insert(all.end(), rows.templateErrors.begin(), rows.templateErrors.end());
    if (all.empty()) return;
    std::vector<int64_t> lines;
    for (const BadLine& bad : all) lines.push_back(bad.line);
    refuse(dataset,
           fmt::format("{} of {} rows cannot be used: line {}. The first: {}. Correct them, or leave them out with "
                       "--bad-lines skip",
                       all.size(), dataset.rows, nameLines(lines), all.front().reason));
}

// Cuts every row and returns the indices of those that are left to learn from.
std::vector<int32_t> usableRows(const Dataset& dataset, Rows& rows, int64_t maxLength, const PrepareOptions& options) {
    std::vector<int32_t> usable;
    std::vector<int64_t> tooLong;
    std::vector<int64_t> empty;
    for (size_t i = 0; i < rows.examples.size(); ++i) {
        TokenizedExample& row = rows.examples[i];
        if (row.ids.empty()) continue;
        const int64_t line = dataset.examples[i].sourceLine;
        const bool isTooLong = row.fullLength > maxLength;
        if (options.longRows == core::LongRowPolicy::Shorten) shortenExample(row, maxLength);
        cutExample(row, maxLength);
        if (isTooLong) tooLong.push_back(line);
        if (isTooLong && options.longRows == core::LongRowPolicy::Skip) continue;
        if (row.labelTokens == 0)
            empty.push_back(line);
        else
            usable.push_back(static_cast<int32_t>(i));
    }
    if (!tooLong.empty() && options.longRows == core::LongRowPolicy::Stop)
        refuse(dataset, fmt::format("{} of {} rows are longer than {} tokens: line {}. Raise --max-length, or choose "
                                    "--long-rows shorten, cut or skip",
                                    tooLong.size(), dataset.rows, maxLength, nameLines(tooLong)));
    if (!empty.empty() && options.emptyTargets == core::RowPolicy::Stop)
        refuse(dataset,
               fmt::format("{} of {} rows would teach nothing at {} tokens, because the prompt alone fills them or "
                           "there is no answer: line {}. Raise --max-length, or leave them out with "
                           "--empty-targets skip",
                           empty.size(), dataset.rows, maxLength, nameLines(empty)));
    return usable;
}

SequenceSet makeSet(const Rows& rows, const std::vector<int32_t>& indices) {
    SequenceSet set;
    for (const int32_t i : indices) {
        const TokenizedExample& row = rows.examples[static_cast<size_t>(i)];
        addRow(set, row, i);
    }
    return set;
}

std::string hashSets(const SequenceSet& train, const SequenceSet& validation) {
    core::Sha256 hash;
    for (const SequenceSet* set : {&train, &validation}) {
        hash.update(set == &train ? "train" : "validation");
        for (int32_t i = 0; i < static_cast<int32_t>(set->size()); ++i) {
            const PackedBatch batch = set->pack(std::span(&i, 1));
            hash.update(std::as_bytes(std::span(batch.cuSeqlens)));
            hash.update(std::as_bytes(std::span(batch.ids)));
            hash.update(std::as_bytes(std::span(batch.labels)));
            hash.update(std::as_bytes(std::span(batch.source.ids)));
        }
    }
    return hash.finish();
}

}  // namespace

void addRow(SequenceSet& set, const TokenizedExample& row, int32_t source) {
    if (row.isPair()) {
        set.addPair(row.sourceIds, row.ids, row.trained, source);
    } else {
        set.addExample(row.ids, row.trained, source);
    }
}

PreparedData prepareExamples(const Dataset& dataset, const core::PromptTemplate& promptTemplate,
                             const core::Tokenizer& tokenizer, const PrepareOptions& options) {
    Rows rows = tokenizeRows(dataset, promptTemplate, tokenizer, options);
    checkBadLines(dataset, rows, options);
    PreparedData prepared;
    prepared.maxLength = chooseMaxLength(rows, options);
    const std::vector<int32_t> usable = usableRows(dataset, rows, prepared.maxLength, options);
    if (options.validation != nullptr) {
        Rows other = tokenizeRows(*options.validation, promptTemplate, tokenizer, options);
        checkBadLines(*options.validation, other, options);
        prepared.split.train = usable;
        prepared.validation = makeSet(other, usableRows(*options.validation, other, prepared.maxLength, options));
        prepared.audit = auditDataset(dataset, rows.examples, rows.templateErrors, prepared.maxLength, nullptr);
        prepared.audit.leaks = findLeaks(dataset, rows.examples, *options.validation, other.examples);
    } else {
        std::vector<uint64_t> keys;
        for (const int32_t i : usable) keys.push_back(rows.examples[static_cast<size_t>(i)].promptHash);
        prepared.split = splitByGroup(usable, keys, options.split);
        prepared.validation = makeSet(rows, prepared.split.validation);
        prepared.audit = auditDataset(dataset, rows.examples, rows.templateErrors, prepared.maxLength, &prepared.split);
    }
    prepared.train = makeSet(rows, prepared.split.train);
    if (prepared.train.size() == 0)
        refuse(dataset, fmt::format("none of the {} rows is left to train on", dataset.rows));
    prepared.contentHash = hashSets(prepared.train, prepared.validation);
    return prepared;
}

// ---- Running text ----

namespace {

constexpr int64_t kDefaultWindow = 512;
constexpr uint64_t kValidationStream = 0x77696e646f77ULL;

// Documents of the data set; rendered rows are kept alive in `storage`.
std::vector<std::string_view> documentsOf(const Dataset& dataset, const core::PromptTemplate* promptTemplate,
                                          std::vector<std::string>& storage) {
    std::vector<std::string_view> documents;
    storage.reserve(dataset.examples.size());
    for (const Example& example : dataset.examples) {
        const auto text = example.columns.find("text");
        if (dataset.kind == DatasetKind::Text && text != example.columns.end()) {
            documents.emplace_back(text->second);
            continue;
        }
        if (promptTemplate == nullptr)
            refuse(
                dataset,
                "these rows are no plain text: give a template that turns them into text, or choose --objective sft");
        storage.push_back(renderExample(dataset, example, *promptTemplate).text);
        documents.emplace_back(storage.back());
    }
    return documents;
}

void splitWindows(const TokenStream& stream, int64_t windows, const PrepareOptions& options, PreparedData& prepared) {
    int64_t held = 0;
    if (options.split.validationShare > 0.0 && windows > 1) {
        held = static_cast<int64_t>(static_cast<double>(windows) * options.split.validationShare);
        held = std::clamp<int64_t>(held, 1, std::min(std::max<int64_t>(options.split.maxValidation, 1), windows - 1));
    }
    const int64_t first =
        held == 0 ? windows : shuffledOrder(windows - held + 1, options.split.seed, kValidationStream).front();
    prepared.train.addWindows(stream.ids, stream.documentStarts, prepared.maxLength, 0, first);
    prepared.validation.addWindows(stream.ids, stream.documentStarts, prepared.maxLength, first, first + held);
    prepared.train.addWindows(stream.ids, stream.documentStarts, prepared.maxLength, first + held, windows);
}

TokenStream streamOf(const Dataset& dataset, const core::PromptTemplate* promptTemplate,
                     const core::Tokenizer& tokenizer, int threads) {
    std::vector<std::string> storage;
    return tokenizeDocuments(documentsOf(dataset, promptTemplate, storage), tokenizer, threads);
}

int64_t countWindows(const TokenStream& stream, int64_t length) {
    const auto tokens = static_cast<int64_t>(stream.ids.size());
    // A last window of a single token has nothing to predict.
    return tokens / length + (tokens % length >= 2 ? 1 : 0);
}

}  // namespace

PreparedData prepareText(const Dataset& dataset, const core::PromptTemplate* promptTemplate,
                         const core::Tokenizer& tokenizer, const PrepareOptions& options) {
    checkBadLines(dataset, {}, options);
    PreparedData prepared;
    prepared.maxLength = options.maxLength;
    if (prepared.maxLength == 0) prepared.maxLength = options.modelLimit > 0 ? options.modelLimit : kDefaultWindow;
    prepared.maxLength = chooseMaxLength({}, {.maxLength = prepared.maxLength, .modelLimit = options.modelLimit});
    const TokenStream stream = streamOf(dataset, promptTemplate, tokenizer, options.threads);
    const int64_t windows = countWindows(stream, prepared.maxLength);
    if (windows == 0) refuse(dataset, "there is less text than two tokens");
    if (options.validation != nullptr) {
        prepared.train.addWindows(stream.ids, stream.documentStarts, prepared.maxLength, 0, windows);
        const TokenStream other = streamOf(*options.validation, promptTemplate, tokenizer, options.threads);
        prepared.validation.addWindows(other.ids, other.documentStarts, prepared.maxLength, 0,
                                       countWindows(other, prepared.maxLength));
    } else {
        splitWindows(stream, windows, options, prepared);
    }
    prepared.audit.badLines = dataset.badLines;
    prepared.audit.length = lengthStatistics(stream.documentLengths);
    prepared.audit.histogram = lengthHistogram(stream.documentLengths, 40);
    prepared.audit.maxLength = prepared.maxLength;
    prepared.audit.totalTokens = prepared.train.totalTokens() + prepared.validation.totalTokens();
    prepared.audit.labelTokens = prepared.train.totalLabelTokens() + prepared.validation.totalLabelTokens();
    prepared.contentHash = hashSets(prepared.train, prepared.validation);
    return prepared;
}

}  // namespace wb::training
