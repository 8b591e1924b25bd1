// SPDX-License-Identifier: Apache-2.0
#include "training/data/audit.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "kernels/base/error.h"

namespace wb::training {
namespace {

// Pairs rows that repeat a prompt: with the same answer they are duplicates, with another one conflicts.
void findRepeats(const Dataset& dataset, std::span<const TokenizedExample> rows, DataAudit& audit) {
    std::unordered_map<uint64_t, int64_t> firstContent;
    std::unordered_map<uint64_t, int64_t> firstPrompt;
    for (size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].ids.empty()) continue;
        const int64_t line = dataset.examples[i].sourceLine;
        const auto [content, isNewContent] = firstContent.emplace(rows[i].contentHash, line);
        const auto [prompt, isNewPrompt] = firstPrompt.emplace(rows[i].promptHash, line);
        if (!isNewContent)
            audit.duplicates.push_back({content->second, line});
        else if (!isNewPrompt)
            audit.conflicts.push_back({prompt->second, line});
    }
}

void findLeaksInSplit(const Dataset& dataset, std::span<const TokenizedExample> rows, const DataSplit& split,
                      DataAudit& audit) {
    std::unordered_map<uint64_t, int64_t> trained;
    for (const int32_t i : split.train)
        trained.emplace(rows[static_cast<size_t>(i)].promptHash, dataset.examples[static_cast<size_t>(i)].sourceLine);
    for (const int32_t i : split.validation) {
        const auto found = trained.find(rows[static_cast<size_t>(i)].promptHash);
        if (found != trained.end())
            audit.leaks.push_back({found->second, dataset.examples[static_cast<size_t>(i)].sourceLine});
    }
}

}  // namespace

LengthStatistics lengthStatistics(std::span<const int64_t> lengths) {
    LengthStatistics result;
    if (lengths.empty()) return result;
    std::vector<int64_t> sorted(lengths.begin(), lengths.end());
    std::sort(sorted.begin(), sorted.end());
    const auto percentile = [&](double share) {
        const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
        return sorted[std::max<size_t>(rank, 1) - 1];
    };
    result.p50 = percentile(0.50);
    result.p95 = percentile(0.95);
    result.p99 = percentile(0.99);
    result.max = sorted.back();
    result.total = std::accumulate(sorted.begin(), sorted.end(), int64_t{0});
    result.mean = static_cast<double>(result.total) / static_cast<double>(sorted.size());
    return result;
}

std::vector<HistogramBin> lengthHistogram(std::span<const int64_t> lengths, int bins) {
    if (lengths.empty() || bins < 1) return {};
    const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
    const int64_t width = longest / bins + 1;
    std::vector<HistogramBin> result(static_cast<size_t>(longest / width) + 1);
    for (size_t i = 0; i < result.size(); ++i)
        result[i] = {static_cast<int64_t>(i) * width, static_cast<int64_t>(i + 1) * width, 0};
    for (const int64_t length : lengths) ++result[static_cast<size_t>(length / width)].rows;
    return result;
}

std::vector<LinePair> findLeaks(const Dataset& train, std::span<const TokenizedExample> trainRows,
                                const Dataset& validation, std::span<const TokenizedExample> validationRows) {
    std::unordered_map<uint64_t, int64_t> trained;
    for (size_t i = 0; i < trainRows.size(); ++i)
        if (!trainRows[i].ids.empty()) trained.emplace(trainRows[i].promptHash, train.examples[i].sourceLine);
    std::vector<LinePair> leaks;
    for (size_t i = 0; i < validationRows.size(); ++i) {
        const auto found = trained.find(validationRows[i].promptHash);
        if (!validationRows[i].ids.empty() && found != trained.end())
            leaks.push_back({found->second, validation.examples[i].sourceLine});
    }
    return leaks;
}

DataAudit auditDataset(const Dataset& dataset, std::span<const TokenizedExample> rows,
                       std::span<const BadLine> templateErrors, int64_t maxLength, const DataSplit* split) {
    constexpr int kHistogramBins = 40;
    WB_CHECK(rows.size() == dataset.examples.size(), "one tokenised row per example");
    DataAudit audit;
    audit.maxLength = maxLength;
    audit.badLines = dataset.badLines;
    audit.badLines.insert(audit.badLines.end(), templateErrors.begin(), templateErrors.end());
    std::stable_sort(audit.badLines.begin(), audit.badLines.end(),
                     [](const BadLine& a, const BadLine& b) { return a.line < b.line; });
    std::vector<int64_t> lengths;
    std::unordered_set<int64_t> refused;
    for (const BadLine& bad : templateErrors) refused.insert(bad.line);
    for (size_t i = 0; i < rows.size(); ++i) {
        const TokenizedExample& row = rows[i];
        const int64_t line = dataset.examples[i].sourceLine;
        if (row.ids.empty() && refused.contains(line)) continue;
        lengths.push_back(row.fullLength);
        if (row.isShortened) audit.shortenedLines.push_back(line);
        if (row.losesTarget) audit.truncatedLines.push_back(line);
        if (row.labelTokens == 0) audit.zeroTargetLines.push_back(line);
        if (row.isEmptyResponse) audit.emptyResponseLines.push_back(line);
        audit.totalTokens += row.tokens();
        audit.labelTokens += row.labelTokens;
    }
    audit.length = lengthStatistics(lengths);
    audit.histogram = lengthHistogram(lengths, kHistogramBins);
    findRepeats(dataset, rows, audit);
    if (split != nullptr) findLeaksInSplit(dataset, rows, *split, audit);
    return audit;
}

}  // namespace wb::training
