// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inference/generation.h"
#include "training/setup.h"
#include "training/tuning_model.h"

#include <functional>
#include <string>
#include <vector>

namespace wb::training {

// A fixed prompt whose answer is generated at every evaluation: how the model changes, in words.
struct SamplePrompt {
    std::string prompt;    // as rendered by the template
    std::string expected;  // the data's own answer; empty for running text
    std::vector<core::TokenId> ids;
};

// The first prompts of the validation rows (of the training rows if there are none); for running text the beginnings
// of validation windows. Prompts that leave no room for an answer are skipped.
std::vector<SamplePrompt> samplePrompts(const TrainingSetup& setup);

// The greedy request that answers a prompt with the model in training.
inference::GenerationRequest sampleRequest(const SamplePrompt& prompt, const TuningModel& tuning,
                                           const TrainingSetup& setup);

struct GeneratedSample {
    SamplePrompt prompt;
    std::string text;
};

// Greedy answers of the model as it is now. A cancel leaves out the first answer it cut short and
// those after it.
std::vector<GeneratedSample> generateSamples(TuningModel& tuning, const TrainingSetup& setup,
                                             const std::function<bool()>& isCancelled = {});

}  // namespace wb::training
