// SPDX-License-Identifier: Apache-2.0
#include "app/engine/train_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/engine/engine_runtime.h"
#include "app/engine/model_paths.h"
#include "app/engine/recipe_options.h"
#include "app/engine/run_export.h"
#include "app/engine/run_training.h"
#include "core/run/recipe_fields.h"
#include "core/run/run_folder.h"

namespace wb::app {
namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions {
    RecipeOptions recipe;
    std::string resume;
};

Json byOwnerJson(const kernels::BytesByOwner& bytes) {
    Json json;
    for (size_t i = 0; i < kernels::kNumMemoryOwners; ++i) {
        json[kernels::memoryOwnerName(static_cast<kernels::MemoryOwner>(i))] = bytes[i];
    }
    return json;
}

// The run to go on with, whose recipe must be the one that was given.
core::RunFolder findResumed(const CommandContext& context, const TrainOptions& options, core::Recipe& recipe) {
    core::RunFolder run = core::RunFolder::find(context.libraryFolder(), options.resume);
    const core::Recipe stored = run.recipe();
    recipe = options.recipe.resolve(context, stored);
    // Where it runs may change; what it computes may not.
    for (const core::RecipeDifference& difference : core::diffRecipes(stored, recipe)) {
        const std::string_view key = difference.field->key;
        if (key == "device" || key == "threads") continue;
        throw UsageError(
            fmt::format("a resumed run keeps its recipe: {} is {} in it, not {}; start a new run to change it", key,
                        difference.left, difference.right));
    }
    return run;
}

void printOutcome(CommandContext& context, const core::RunFolder& run, const training::TrainOutcome& outcome) {
    context.print(fmt::format("{} after {} steps, {} ({:.0f} tok/s, peak {})\n", outcome.reason, outcome.steps,
                              durationText(outcome.seconds), outcome.tokensPerSecond, bytesText(outcome.peakBytes)));
    if (outcome.bestStep)
        context.print(fmt::format("best validation loss {:.4f} at step {}\n", outcome.bestLoss, *outcome.bestStep));
    context.print(fmt::format("run {}\n  {}\n", run.id(), run.path().string()));
    Json best = nullptr;
    if (outcome.bestStep) best = {{"step", *outcome.bestStep}, {"eval_loss", outcome.bestLoss}};
    context.printJson({{"run_id", run.id()},
                       {"run_dir", run.path().string()},
                       {"reason", outcome.reason},
                       {"steps", outcome.steps},
                       {"best", best},
                       {"peak_bytes", outcome.peakBytes},
                       {"weight_hash", outcome.weightHash},
                       {"tokens_per_second", outcome.tokensPerSecond},
                       {"seconds", outcome.seconds},
                       {"certificate", outcome.certificate ? toJson(*outcome.certificate) : Json(nullptr)}});
}

void runTrain(const TrainOptions& options, CommandContext& context) {
    core::Recipe recipe;
    std::optional<core::RunFolder> run;
    if (options.resume.empty()) {
        recipe = resolveRecipe(options.recipe.resolve(context));
    } else {
        run = findResumed(context, options, recipe);
    }
    catchStopSignals();
    kernels::Runtime runtime =
        makeRuntime(recipe.device, static_cast<int>(recipe.threads), core::choiceName(recipe.attention));
    // Everything the recipe names is read first: what cannot start leaves no run behind.
    training::TrainingSetup setup = training::prepareTraining(recipe, runtime.context().numThreads);
    if (!run) run = core::RunFolder::create(context.libraryFolder(), recipe);
    printOutcome(context, *run, runTraining(runtime, *run, std::move(setup), context.libraryFolder()));
}

void runPlan(const RecipeOptions& options, CommandContext& context) {
    const core::Recipe recipe = resolveRecipe(options.resolve(context));
    const int threads = recipe.threads > 0 ? static_cast<int>(recipe.threads) : kernels::availableThreads();
    const training::TrainingSetup setup = training::prepareTraining(recipe, threads);
    const training::MemoryPlan plan = training::planMemory(setup, chooseDevice(recipe.device), threads);
    context.print(fmt::format("peak {} of {} available: {}\n", bytesText(plan.peakBytes),
                              bytesText(plan.availableBytes), plan.fits ? "fits" : "does not fit"));
    for (size_t i = 0; i < kernels::kNumMemoryOwners; ++i) {
        const auto owner = static_cast<kernels::MemoryOwner>(i);
        context.print(fmt::format("  {:<12} {}\n", kernels::memoryOwnerName(owner), bytesText(plan.byOwner[i])));
    }
    context.printJson({{"peak_bytes", plan.peakBytes},
                       {"by_owner", byOwnerJson(plan.byOwner)},
                       {"available_bytes", plan.availableBytes},
                       {"fits", plan.fits},
                       {"steps", setup.totalSteps},
                       {"steps_per_epoch", setup.stepsPerEpoch},
                       {"max_length", setup.recipe.maxLength},
                       {"train_rows", setup.data.prepared.train.size()},
                       {"validation_rows", setup.data.prepared.validation.size()}});
}

}  // namespace

void defineTrain(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<TrainOptions>();
    command.add_option("--resume", options->resume, "Go on with this run (id or folder) from its last checkpoint")
        ->type_name("RUN");
    options->recipe.addTo(command);
    command.footer(
        "\nExamples:\n"
        "  whet train --model pocket --data facts.jsonl --epochs 5\n"
        "  whet train --resume last");
    command.callback([options, &context] { runTrain(*options, context); });
}

void definePlan(CLI::App& command, CommandContext& context) {
    const auto options = std::make_shared<RecipeOptions>();
    options->addTo(command);
    command.footer("\nExample: whet plan --model pocket --data facts.jsonl --method full --max-length 256");
    command.callback([options, &context] { runPlan(*options, context); });
}

}  // namespace wb::app
