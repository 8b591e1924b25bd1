// SPDX-License-Identifier: Apache-2.0
#include "training/data/split.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "kernels/base/error.h"
#include "training/data/packer.h"

namespace wb::training {
namespace {

// Keeps the order of the split apart from the order of the epochs, which use small stream numbers.
constexpr uint64_t kSplitStream = 0x73706c6974ULL;

int64_t wantedValidation(size_t rows, const SplitOptions& options) {
    if (options.validationShare <= 0.0 || options.maxValidation <= 0 || rows < 2) return 0;
    const auto share = static_cast<int64_t>(std::llround(static_cast<double>(rows) * options.validationShare));
    return std::clamp<int64_t>(share, 1, std::min(options.maxValidation, static_cast<int64_t>(rows) - 1));
}

}  // namespace

DataSplit splitByGroup(std::span<const int32_t> rows, std::span<const uint64_t> groupKeys,
                       const SplitOptions& options) {
    WB_CHECK(rows.size() == groupKeys.size(), "every row needs a key");
    const int64_t wanted = wantedValidation(rows.size(), options);
    std::unordered_map<uint64_t, std::vector<int32_t>> groups;
    for (size_t i = 0; i < rows.size(); ++i) groups[groupKeys[i]].push_back(rows[i]);

    DataSplit split;
    std::unordered_map<uint64_t, bool> isValidation;
    const auto takeGroup = [&](uint64_t key) {
        const std::vector<int32_t>& members = groups.at(key);
        isValidation[key] = true;
        split.validation.insert(split.validation.end(), members.begin(), members.end());
        split.keptTogether += static_cast<int64_t>(members.size()) - 1;
    };
    if (wanted > 0 && groups.size() > 1) {
        const std::vector<int32_t> order = shuffledOrder(static_cast<int64_t>(rows.size()), options.seed, kSplitStream);
        uint64_t smallest = groupKeys[static_cast<size_t>(order.front())];
        for (const int32_t i : order) {
            const uint64_t key = groupKeys[static_cast<size_t>(i)];
            const size_t members = groups.at(key).size();
            if (members < groups.at(smallest).size()) smallest = key;
            // A group that would overshoot is passed over, so that the share asked for is an upper bound.
            const bool fits = static_cast<int64_t>(split.validation.size() + members) <= wanted;
            if (fits && !isValidation[key]) takeGroup(key);
        }
        if (split.validation.empty()) takeGroup(smallest);
    }
    for (size_t i = 0; i < rows.size(); ++i)
        if (!isValidation[groupKeys[i]]) split.train.push_back(rows[i]);
    std::sort(split.train.begin(), split.train.end());
    std::sort(split.validation.begin(), split.validation.end());
    return split;
}

}  // namespace wb::training
