// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace wb::core {

// Which elements of two sequences are in both, in order: a longest common subsequence.
struct SequenceDiff {
    std::vector<bool> leftIsCommon;
    std::vector<bool> rightIsCommon;
    std::optional<size_t>
        firstDivergence;  // index of the first element that differs; absent if the sequences are equal
};

SequenceDiff diffSequences(const std::vector<std::string>& left, const std::vector<std::string>& right);

}  // namespace wb::core
