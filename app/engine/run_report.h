// SPDX-License-Identifier: Apache-2.0
// Runs as text and as JSON for `whet runs`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/library/library.h"
#include "core/run/checkpoint_folder.h"
#include "core/run/events.h"
#include "core/run/run_folder.h"

namespace wb::app {

// One run with all that its folder tells.
struct RunDetails {
    core::RunEntry entry;
    core::Recipe recipe;
    std::vector<core::Evaluated> evaluations;
    std::vector<core::CheckpointInfo> checkpoints;
};

// Throws Io.
RunDetails readRunDetails(const core::RunFolder& run);

// A table, newest first; what to do if there is none.
std::string runListText(const std::vector<core::RunEntry>& runs, const std::string& library);
nlohmann::ordered_json runEntryJson(const core::RunEntry& run);

std::string runDetailsText(const RunDetails& run);
nlohmann::ordered_json runDetailsJson(const RunDetails& run);

// Settings in which the runs differ, and their results.
std::string runDifferenceText(const std::vector<RunDetails>& runs);
nlohmann::ordered_json runDifferenceJson(const std::vector<RunDetails>& runs);

}  // namespace wb::app
