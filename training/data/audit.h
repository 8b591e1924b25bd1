// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "training/data/dataset.h"
#include "training/data/split.h"
#include "training/data/tokenized_example.h"

namespace wb::training {

// Percentiles are nearest-rank: the smallest length that at least p percent of the rows do not exceed.
struct LengthStatistics {
    int64_t p50 = 0;
    int64_t p95 = 0;
    int64_t p99 = 0;
    int64_t max = 0;
    double mean = 0.0;
    int64_t total = 0;
};

struct HistogramBin {
    int64_t begin = 0;  // lengths in [begin, end)
    int64_t end = 0;
    int64_t rows = 0;
};

// Two rows, by line, of which the second repeats or contradicts the first.
struct LinePair {
    int64_t first = 0;
    int64_t second = 0;

    bool operator==(const LinePair&) const = default;
};

// What a person should know before training. Lines are those of the file.
struct DataAudit {
    std::vector<BadLine> badLines;  // unreadable rows, and rows that the template refused
    LengthStatistics length;        // tokens per row before any cut
    std::vector<HistogramBin> histogram;
    int64_t maxLength = 0;                    // the limit the counts below refer to
    std::vector<int64_t> truncatedLines;      // rows that lose part of an answer
    std::vector<int64_t> shortenedLines;      // rows that keep their answer if the end of their longest input goes
    std::vector<int64_t> zeroTargetLines;     // rows that teach nothing
    std::vector<int64_t> emptyResponseLines;  // answers of nothing but white space
    std::vector<LinePair> duplicates;         // same prompt and response as an earlier row
    std::vector<LinePair> conflicts;          // same prompt as an earlier row, other response
    std::vector<LinePair> leaks;              // training row, validation row with the same prompt
    int64_t totalTokens = 0;                  // after the cut
    int64_t labelTokens = 0;
};

LengthStatistics lengthStatistics(std::span<const int64_t> lengths);
// At most `bins` bins of equal width (a whole number of tokens) from 0 to the longest row.
std::vector<HistogramBin> lengthHistogram(std::span<const int64_t> lengths, int bins);

// `rows` are the tokenised examples in order, `templateErrors` what tokenizeDataset reported. `split` may be null.
DataAudit auditDataset(const Dataset& dataset, std::span<const TokenizedExample> rows,
                       std::span<const BadLine> templateErrors, int64_t maxLength, const DataSplit* split);

// Validation rows of a file of their own whose prompt is trained: lines of (training row, validation row).
std::vector<LinePair> findLeaks(const Dataset& train, std::span<const TokenizedExample> trainRows,
                                const Dataset& validation, std::span<const TokenizedExample> validationRows);

}  // namespace wb::training
