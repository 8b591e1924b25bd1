// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/run/recipe.h"
#include "core/text/prompt_template.h"
#include "core/text/tokenizer.h"
#include "training/data/audit.h"
#include "training/data/dataset.h"
#include "training/data/split.h"
#include "training/data/tokenized_example.h"

namespace wb::training {

struct InspectOptions {
    std::string templateName = "auto";  // as in core::TemplateRequest
    std::filesystem::path modelFolder;  // of the chat template; empty if no model is known
    LoadOptions load;
    int64_t maxLength = 0;   // 0: 99th percentile of the rows
    int64_t modelLimit = 0;  // longest sequence the model takes; 0: unknown
    core::TrainOn trainOn = core::TrainOn::Response;
    std::optional<core::AnswerFrame> answer{};  // of an encoder-decoder
    SplitOptions split;
    int sampleRows = 3;  // rows shown token by token
    int threads = 0;     // 0: one per core
};

// One row as the model sees it.
struct InspectedRow {
    int64_t line = 0;
    TokenizedExample tokens;                 // uncut
    std::vector<std::string> tokenTexts;     // bytes of each id, for display
    std::vector<std::string> sourceTexts{};  // the same of what an encoder reads
};

// What `whet data inspect` shows.
struct DataInspection {
    Dataset dataset;
    std::optional<core::PromptTemplate> promptTemplate;
    std::string templateProblem;  // why there is none; empty if there is one
    std::string tokenizerKind;    // "bytes" if no model is known
    DataAudit audit;
    DataSplit split;
    int64_t teachingRows = 0;  // examples that leave something to learn at the maximum length
    std::vector<InspectedRow> samples;

    bool countsBytes() const { return tokenizerKind == "bytes"; }
    // Nothing has to be decided before training can start.
    bool isReady() const;
    // Rows that teach nothing at this length unless the end of their longest input goes: training's long_rows =
    // shorten, the default, saves them. They count as teaching.
    int64_t savedByShortening() const;
    // "382 of 400 rows will teach; 18 need a decision."
    std::string summary() const;
};

// Reads, renders, tokenises and audits a file as training would. `tokenizer` null: lengths are in bytes.
// Without a template that fits, rows are measured as they stand and `templateProblem` says what is missing.
// Throws as loadDataset; NotFound or CorruptFile for a template that is named and not there.
DataInspection inspectDataset(const std::filesystem::path& path, const core::Tokenizer* tokenizer,
                              const InspectOptions& options);

// One JSON object, the answer of `whet data inspect --json`.
std::string inspectionJson(const DataInspection& inspection);

}  // namespace wb::training
