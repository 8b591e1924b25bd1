// SPDX-License-Identifier: Apache-2.0
#include "app/engine/command_table.h"

#include <algorithm>

#include "app/engine/bench_command.h"
#include "app/engine/data_command.h"
#include "app/engine/doctor_command.h"
#include "app/engine/models_command.h"
#include "app/engine/recipe_command.h"
#include "app/engine/runs_command.h"
#include "app/engine/train_command.h"
#include "core/run/edit_distance.h"

namespace wb::app {
namespace {

constexpr std::string_view kPrepare = "Prepare";
constexpr std::string_view kTrain = "Train";
constexpr std::string_view kLook = "Look";

// To add a command: its header above, its row here, its files in CMakeLists.txt.
constexpr CommandRow kCommands[] = {
    {"models", kPrepare, "Look into model files", defineModels},
    {"data", kPrepare, "Look into a data file: format, bad rows, lengths, what is trained", defineData},
    {"plan", kTrain, "Tell the exact memory peak of a recipe before it starts", definePlan},
    {"train", kTrain, "Tune a model, or resume a run", defineTrain},
    {"recipe", kTrain, "Print a recipe file with every setting, its default and its help", defineRecipe},
    {"runs", kTrain, "List, show, compare and steer runs", defineRuns},
    {"bench", kLook, "Measure this machine and its kernels", defineBench},
    {"doctor", kLook, "Tell what this machine has and whether everything works", defineDoctor},
};

}  // namespace

std::span<const CommandRow> commandTable() {
    return kCommands;
}

std::optional<std::string_view> nearestCommand(std::string_view wrong) {
    std::vector<std::string_view> names;
    for (const CommandRow& row : kCommands) names.push_back(row.name);
    return core::nearestWord(wrong, names);
}

}  // namespace wb::app
