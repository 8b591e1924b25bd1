// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/run/checkpoint_folder.h"
#include "core/run/run_folder.h"
#include "training/data/packer.h"
#include "training/setup.h"
#include "training/tuning_model.h"

#include <cstdint>
#include <optional>
#include <string>

namespace wb::training {

// Everything a run needs, besides its tensors, to go on as if it had never stopped.
struct TrainingState {
    int64_t step = 0;   // optimiser steps done
    DataCursor cursor;  // of the next step
    std::optional<int64_t> bestStep;
    float bestLoss = 0;
    int64_t evaluationsWithoutGain = 0;
    double trainSeconds = 0;  // inside steps, over all sittings
    int64_t trainTokens = 0;
    int64_t peakBytes = 0;
    std::string dataHash;  // of the prepared data: a resumed run must see the same rows

    bool operator==(const TrainingState&) const = default;
};

// Saves weights (a loadable model folder, or a PEFT adapter), optimiser state and TrainingState as one checkpoint.
// Throws Io; no incomplete checkpoint stays behind.
core::CheckpointInfo saveCheckpoint(const core::RunFolder& run, const TrainingSetup& setup, TuningModel& tuning,
                                    const TrainingState& state);

// Where a checkpoint of a LoRA run keeps its PEFT adapter.
std::filesystem::path adapterFolderOf(const std::filesystem::path& checkpoint);

// Loads a checkpoint into a model built from the same recipe. Throws CorruptFile.
TrainingState loadCheckpoint(const std::filesystem::path& folder, TuningModel& tuning);

}  // namespace wb::training
