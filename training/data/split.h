// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wb::training {

struct SplitOptions {
    double validationShare = 0.1;  // of the examples; 0 switches validation off
    int64_t maxValidation = 200;   // examples
    uint64_t seed = 42;
};

// Indices into the examples, each side ascending.
struct DataSplit {
    std::vector<int32_t> train;
    std::vector<int32_t> validation;
    int64_t keptTogether = 0;  // validation rows that were not drawn but share their prompt with one that was
};

// Draws the validation rows. Rows of the same group (equal key: the same prompt; see TokenizedExample::promptHash) stay
// on one side, so no prompt of the validation rows is ever trained on. At least one row each side if there are two
// groups; deterministic per seed. `rows` are the indices to divide, `groupKeys` has an entry for each of them.
DataSplit splitByGroup(std::span<const int32_t> rows, std::span<const uint64_t> groupKeys, const SplitOptions& options);

}  // namespace wb::training
