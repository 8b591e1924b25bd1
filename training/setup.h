// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/model_folder.h"
#include "core/text/tokenizer.h"
#include "inference/token_rules.h"
#include "training/data/packer.h"
#include "training/objectives/objectives.h"
#include "training/schedules/schedules.h"

#include <filesystem>
#include <memory>
#include <optional>

namespace wb::training {

// A recipe with everything it names opened, checked and counted: what planning and training both start from.
struct TrainingSetup {
    core::Recipe recipe;                      // with max_length resolved
    std::filesystem::path modelPath;          // folder or GGUF file; the folder of the config from scratch
    std::optional<core::ModelSource> source;  // absent from scratch
    core::ModelConfig config;
    inference::TokenRules rules;  // of the model's generation config, for the answers of samples
    std::unique_ptr<core::Tokenizer> tokenizer;
    std::vector<std::filesystem::path> companions;  // tokenizer and the like, which a fully tuned model takes along
    ObjectiveData data;
    PackOptions packing;
    ScheduleOptions schedule;
    int64_t stepsPerEpoch = 0;
    int64_t totalSteps = 0;
};

// Throws NotFound, CorruptFile, InvalidArgument or Unsupported from whatever the recipe names. `threads` are for
// reading data only.
TrainingSetup prepareTraining(const core::Recipe& recipe, int threads);

}  // namespace wb::training
