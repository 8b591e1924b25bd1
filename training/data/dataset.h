// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "training/data/example.h"

namespace wb::training {

// What the rows of a file are, which decides how a template may render them.
enum class DatasetKind {
    PromptResponse,  // columns of which some are the prompt and one is the response (see ColumnMapping)
    Conversation,    // messages
    Columns,         // columns without a known meaning: a template.json has to say what is trained
    Text,            // documents: everything is trained
};

// Which columns make the prompt and which the response. Empty for conversations, text and unknown columns.
struct ColumnMapping {
    std::vector<std::string> prompt;  // joined by a blank line, empty ones left out
    std::string response;

    bool isKnown() const { return !response.empty(); }
    std::string describe() const;  // "prompt = context + question, response = answer"; empty if unknown
};

// One way to read the file, as detection saw it.
struct FormatGuess {
    std::string name;    // "prompt_response", "alpaca", "messages", "sharegpt", "text", "columns" ...
    std::string title;   // "Prompt and response", for people
    double share = 0.0;  // part of the sampled rows that fit, 0..1
    std::string reason;  // "20 of 20 sampled rows have 'question' and 'answer'"
};

struct LoadOptions {
    std::string format = "auto";     // a name from datasetFormatNames(); "auto" detects
    int64_t maxLineBytes = 1 << 20;  // a longer row is reported as a bad line, not read
    int64_t maxRows = 0;             // stop after so many rows (0: all); a note says so
    // Columns that the chosen template names. They must hold text in every row; those of the response must not be
    // empty.
    std::vector<std::string> promptColumns;
    std::vector<std::string> responseColumns;
};

// A file of examples in memory. rows == examples.size() + badLines.size(): nothing is dropped silently.
struct Dataset {
    std::filesystem::path path;
    FormatGuess format;
    std::vector<FormatGuess> alternatives;  // other readings that fit some rows, best first
    DatasetKind kind = DatasetKind::Columns;
    ColumnMapping mapping;
    std::vector<std::string> columnNames;  // in the order the file names them
    int64_t rows = 0;
    int64_t blankLines = 0;  // lines without anything on them; they are no rows
    std::vector<Example> examples;
    std::vector<BadLine> badLines;  // ascending by line
    std::vector<BadLine> warnings;  // rows that were loaded although something is odd about them
    std::vector<std::string>
        notes;  // what holds for the whole file: mapping, columns not used, expansion of nested rows
};

// Names that LoadOptions::format accepts, without "auto".
std::vector<std::string> datasetFormatNames();

// Reads a file of training data: .jsonl, .json (one array, or the nested SQuAD form), .csv, .tsv or .txt, each also as
// .gz or .zst. Bad rows are collected, never thrown. Throws NotFound, Io, CorruptFile (a broken archive) or
// InvalidArgument (no readable form, saying what to do).
Dataset loadDataset(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace wb::training
