// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/run/recipe.h"
#include "core/text/prompt_template.h"
#include "core/text/tokenizer.h"
#include "training/data/audit.h"
#include "training/data/dataset.h"
#include "training/data/sequence_set.h"
#include "training/data/split.h"
#include "training/data/tokenized_example.h"

namespace wb::training {

struct PrepareOptions {
    int64_t maxLength = 0;  // tokens per row or window; 0: the 99th percentile of the data (rows), or the model's limit
    int64_t modelLimit = 0;                     // longest sequence the model takes; 0: unknown, or any
    std::optional<core::AnswerFrame> answer{};  // of an encoder-decoder
    core::TrainOn trainOn = core::TrainOn::Response;
    core::LongRowPolicy longRows = core::LongRowPolicy::Shorten;
    core::RowPolicy badLines = core::RowPolicy::Stop;
    core::RowPolicy emptyTargets = core::RowPolicy::Stop;  // rows that teach nothing at this length
    SplitOptions split;
    const Dataset* validation = nullptr;  // a file of its own instead of a split; borrowed for the call
    int threads = 0;                      // 0: one per core
};

// Everything the trainer needs of its data.
struct PreparedData {
    SequenceSet train;  // source(i) is an index into Dataset::examples (rows) or the number of a window (text)
    SequenceSet validation;
    DataSplit split;  // of the rows; empty for running text
    DataAudit audit;
    int64_t maxLength = 0;    // as used
    std::string contentHash;  // SHA-256 (hex) of all ids, targets and the split: equal data trains equally
};

// Adds a tokenised row to a set, as a sequence or as a pair.
void addRow(SequenceSet& set, const TokenizedExample& row, int32_t source);

// Supervised fine-tuning: tokenises, audits, splits. Throws InvalidArgument if no row is left to train on, or rows
// teach nothing and the policy is Refuse.
PreparedData prepareExamples(const Dataset& dataset, const core::PromptTemplate& promptTemplate,
                             const core::Tokenizer& tokenizer, const PrepareOptions& options);

// Plain language modelling: the documents one after the other, each with BOS (if the tokenizer adds one) and EOS, cut
// into windows of maxLength. Validation is one run of neighbouring windows at a place drawn from the seed.
// Accepts DatasetKind::Text; other kinds through `promptTemplate`'s rendering of each row if it is not null.
// Throws InvalidArgument if there is less than one window of two tokens.
PreparedData prepareText(const Dataset& dataset, const core::PromptTemplate* promptTemplate,
                         const core::Tokenizer& tokenizer, const PrepareOptions& options);

}  // namespace wb::training
