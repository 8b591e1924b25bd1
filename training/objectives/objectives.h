// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training/data/prepare.h"

#include <filesystem>
#include <optional>

namespace wb::training {

// What a training objective reads and how it turns it into sequences.
struct ObjectiveInput {
    const core::Recipe& recipe;
    const core::Tokenizer& tokenizer;
    std::filesystem::path modelFolder;          // for the model's own template; empty from scratch
    int64_t modelLimit = 0;                     // longest sequence the model takes; 0: any
    std::optional<core::AnswerFrame> answer{};  // of an encoder-decoder
    int threads = 0;
};

struct ObjectiveData {
    Dataset dataset;
    std::optional<core::PromptTemplate> promptTemplate;  // absent for running text
    PreparedData prepared;
};

// The data of a recipe, ready to be packed. Throws what loading and preparing throw.
ObjectiveData prepareObjective(const ObjectiveInput& input);

// objectives/<name>.cpp
ObjectiveData prepareSupervised(const ObjectiveInput& input);
ObjectiveData prepareLanguageModel(const ObjectiveInput& input);

// The part of the options that all objectives share.
PrepareOptions prepareOptionsOf(const ObjectiveInput& input);

}  // namespace wb::training
