// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapters/export/certificate.h"
#include "training/setup.h"
#include "training/tuning_model.h"

#include <filesystem>
#include <optional>

namespace wb::training {

// Loads a checkpoint that was just saved as any other program would, answers the sample prompts with the model in
// memory and replays them through both. Nothing if there are no prompts, or if memory for a second copy of a fully
// tuned model is lacking. Throws what reading the checkpoint throws.
std::optional<adapters::Certificate> certifyCheckpoint(TuningModel& tuning, const TrainingSetup& setup,
                                                       const std::filesystem::path& checkpoint);

}  // namespace wb::training
