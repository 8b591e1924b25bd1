// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "app/engine/command_context.h"
#include "core/run/recipe.h"
#include "core/run/run_folder.h"
#include "kernels/runtime/runtime.h"
#include "training/trainer.h"

namespace wb::app {

// True after SIGTERM or SIGINT: finish the step, checkpoint, exit 0. A second signal ends the process at once.
const std::atomic<bool>& stopRequested();
void catchStopSignals();

// Locks a run, trains, and logs every event; then brings the library index up to date.
training::TrainOutcome runTraining(kernels::Runtime& runtime, const core::RunFolder& run, training::TrainingSetup setup,
                                   const std::filesystem::path& libraryFolder);

}  // namespace wb::app
