// SPDX-License-Identifier: GPL-3.0-or-later
// The worker's part of the Data page: files in, an immutable object out. No QObject here.
#pragma once

#include <QVector>
#include <memory>
#include <optional>

#include "app/models/data_model.h"
#include "core/text/prompt_template.h"
#include "core/text/tokenizer.h"
#include "training/data/audit.h"
#include "training/data/dataset.h"
#include "training/data/split.h"
#include "training/data/templated_dataset.h"
#include "training/data/tokenized_example.h"

namespace wb::app {

struct LoadedData {
    DataSettings settings;
    training::Dataset dataset;
    std::optional<core::PromptTemplate> promptTemplate;  // none for running text
    std::shared_ptr<const core::Tokenizer> tokenizer;    // none without a model
    std::optional<core::AnswerFrame> answer;             // of an encoder-decoder
    std::vector<training::TokenizedExample> rows;        // without any cut; empty without a tokenizer
    std::vector<training::BadLine> templateErrors;
    training::DataSplit split;
    training::LengthStatistics length;

    training::TokenizeOptions tokenizeOptions() const;
    // One text after the other, learnt in windows of the maximum length: no row is cut.
    bool isRunningText() const { return dataset.kind == training::DatasetKind::Text; }
};

// Reads, renders and tokenises. Throws wb::Error.
std::shared_ptr<const LoadedData> loadData(const DataSettings& settings, const IsStale& isStale);

// The audit at one maximum length, from the uncut rows.
training::DataAudit auditAt(const LoadedData& data, qint64 maxLength);

// One row as tokens with the text each stands for, those of an encoder before those of its decoder; roles without a
// limit. Tokens [inputBegin, inputEnd) are the input that a row which is too long gives up first.
struct RowTokens {
    QVector<TokenView> tokens;
    qint64 inputBegin = 0;
    qint64 inputEnd = 0;
};
RowTokens tokensOfRow(const LoadedData& data, int example);

// What stands in the table, at most `limit` characters, on one line.
QString promptPreview(const training::Dataset& dataset, const training::Example& example, int limit);
QString responsePreview(const training::Dataset& dataset, const training::Example& example, int limit);

}  // namespace wb::app
