// SPDX-License-Identifier: Apache-2.0
#include "core/run/edit_distance.h"

#include <algorithm>
#include <vector>

namespace wb::core {
namespace {

constexpr size_t kMaxWord = 64;

// Levenshtein distance by one row of the table.
size_t editDistance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

}  // namespace

std::optional<std::string_view> nearestWord(std::string_view wrong, std::span<const std::string_view> candidates) {
    if (wrong.size() > kMaxWord) return std::nullopt;
    size_t best = std::max<size_t>(2, wrong.size() / 3) + 1;
    std::optional<std::string_view> nearest;
    for (const std::string_view candidate : candidates) {
        const size_t distance = editDistance(wrong, candidate);
        if (distance >= best) continue;
        best = distance;
        nearest = candidate;
    }
    return nearest;
}

}  // namespace wb::core
