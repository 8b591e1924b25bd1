// SPDX-License-Identifier: Apache-2.0
#include "app/engine/command_table.h"

#include <algorithm>

#include "app/engine/bench_command.h"
#include "app/engine/compare_command.h"
#include "app/engine/data_command.h"
#include "app/engine/demo_command.h"
#include "app/engine/doctor_command.h"
#include "app/engine/engine_command.h"
#include "app/engine/eval_command.h"
#include "app/engine/export_command.h"
#include "app/engine/generate_command.h"
#include "app/engine/models_command.h"
#include "app/engine/recipe_command.h"
#include "app/engine/runs_command.h"
#include "app/engine/template_command.h"
#include "app/engine/tokenize_command.h"
#include "app/engine/train_command.h"
#include "core/run/edit_distance.h"

namespace wb::app {
namespace {

constexpr std::string_view kPrepare = "Prepare";
constexpr std::string_view kTrain = "Train";
constexpr std::string_view kUse = "Use";
constexpr std::string_view kLook = "Look";

// To add a command: its header above, its row here, its files in CMakeLists.txt.
constexpr CommandRow kCommands[] = {
    {"demo", kPrepare, "The main job on the bundled model and sample: tune, compare, export", defineDemo},
    {"models", kPrepare, "Look into model files", defineModels},
    {"data", kPrepare, "Look into a data file: format, bad rows, lengths, what is trained", defineData},
    {"template", kPrepare, "Render a conversation with a chat template and tell where each byte came from",
     defineTemplate},
    {"tokenize", kPrepare, "Turn texts into a model's token ids, or ids into texts", defineTokenize},
    {"plan", kTrain, "Tell the exact memory peak of a recipe before it starts", definePlan},
    {"train", kTrain, "Tune a model, or resume a run", defineTrain},
    {"recipe", kTrain, "Print a recipe file with every setting, its default and its help", defineRecipe},
    {"runs", kTrain, "List, show, compare and steer runs", defineRuns},
    {"generate", kUse, "Continue or answer one prompt", defineGenerate},
    {"compare", kUse, "Base and tuned side by side on the same prompts", defineCompare},
    {"eval", kUse, "Score a model on running text or on prompt/response data", defineEval},
    {"export", kUse, "Write a run's best checkpoint as files that other tools load", defineExport},
    {"bench", kLook, "Measure this machine and its kernels", defineBench},
    {"engine", kLook, "Serve the workbench over standard input and output", defineEngine},
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
