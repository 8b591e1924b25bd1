// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "training/data/dataset.h"

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
    int64_t movedForLeaks = 0;  // examples that went to the other side because their prompt was already there
};

// Draws the validation rows. Rows of the same group (equal key: the same prompt) stay on one side, so no prompt of the
// validation rows is ever trained on. At least one row each side if there are two groups; deterministic per seed.
DataSplit splitByGroup(std::span<const uint64_t> groupKeys, const SplitOptions& options);

// Key of a row's prompt: equal prompts give equal keys. Conversations: everything before the last answer.
uint64_t promptKey(const Dataset& dataset, const Example& example);
// Key of prompt and response together.
uint64_t contentKey(const Dataset& dataset, const Example& example);

}  // namespace wb::training
