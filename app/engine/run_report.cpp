// SPDX-License-Identifier: Apache-2.0
#include "app/engine/run_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/engine/command_context.h"
#include "app/engine/text_table.h"
#include "core/run/recipe_fields.h"

namespace wb::app {
namespace {

using nlohmann::ordered_json;

std::string timeText(double seconds) {
    if (seconds <= 0.0) return "-";
    return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(static_cast<std::time_t>(seconds)));
}

std::string lossText(const std::optional<double>& loss) {
    return loss ? fmt::format("{:.4f}", *loss) : "-";
}

std::string stepsText(const core::RunEntry& run) {
    return run.totalSteps > 0 ? fmt::format("{}/{}", run.steps, run.totalSteps) : fmt::format("{}", run.steps);
}

std::string orDash(const std::string& text) {
    return text.empty() ? "-" : text;
}

template <class T>
ordered_json orNull(const std::optional<T>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json bestJson(const core::RunEntry& run) {
    return {{"step", orNull(run.bestStep)}, {"eval_loss", orNull(run.bestLoss)}};
}

ordered_json recipeJson(const core::Recipe& recipe) {
    ordered_json values;
    for (const core::RecipeField& field : core::recipeFields()) {
        std::visit([&](const auto& value) { values[std::string(field.key)] = value; }, field.get(recipe));
    }
    return values;
}

// The keys in which any run differs from the first.
std::vector<const core::RecipeField*> changedFields(const std::vector<RunDetails>& runs) {
    std::vector<const core::RecipeField*> changed;
    for (const core::RecipeField& field : core::recipeFields()) {
        const auto differs = [&](const RunDetails& run) {
            return field.get(run.recipe) != field.get(runs.front().recipe);
        };
        if (std::ranges::any_of(runs, differs)) changed.push_back(&field);
    }
    return changed;
}

}  // namespace

RunDetails readRunDetails(const core::RunFolder& run) {
    RunDetails details{.entry = core::readRunEntry(run)};
    // A recipe that cannot be read is the entry's problem; the rest is still worth showing.
    if (!details.entry.recipeToml.empty()) details.recipe = run.recipe();
    for (const core::Event& event : core::readEvents(run.eventsPath())) {
        if (const auto* evaluated = std::get_if<core::Evaluated>(&event.body))
            details.evaluations.push_back(*evaluated);
    }
    details.checkpoints = core::listCheckpoints(run.checkpointsPath());
    return details;
}

std::string runListText(const std::vector<core::RunEntry>& runs, const std::string& library) {
    if (runs.empty()) {
        return fmt::format("No runs in {} yet. Start one: whet train --model M --data FILE\n", library);
    }
    TextTable table({"run", "state", "title", "steps", "best loss", "at step", "tok/s", "started"});
    for (const core::RunEntry& run : runs) {
        table.add({run.id, run.state, run.title, stepsText(run), lossText(run.bestLoss),
                   run.bestStep ? fmt::format("{}", *run.bestStep) : "-",
                   run.tokensPerSecond > 0.0 ? fmt::format("{:.0f}", run.tokensPerSecond) : "-",
                   timeText(run.created)});
    }
    return table.text();
}

ordered_json runEntryJson(const core::RunEntry& run) {
    return {
        {"run_id", run.id},
        {"run_dir", run.folder},
        {"title", run.title},
        {"state", run.state},
        {"model", run.model},
        {"data", run.data},
        {"method", run.method},
        {"objective", run.objective},
        {"created", run.created},
        {"last_event", run.lastEvent},
        {"steps", run.steps},
        {"total_steps", run.totalSteps},
        {"best", bestJson(run)},
        {"last_loss", orNull(run.lastLoss)},
        {"tokens_per_second", run.tokensPerSecond},
        {"seconds", run.seconds},
        {"peak_bytes", run.peakBytes},
        {"model_hash", run.modelHash},
        {"weight_hash", run.weightHash},
        {"problem", run.problem},
    };
}

std::string runDetailsText(const RunDetails& run) {
    const core::RunEntry& entry = run.entry;
    std::string text;
    const auto line = [&text](std::string_view name, const std::string& value) {
        text += fmt::format("{:<12}{}\n", name, value);
    };
    line("run", entry.id);
    line("title", entry.title);
    line("state", entry.state);
    if (!entry.problem.empty()) line("problem", entry.problem);
    line("folder", entry.folder);
    line("started", timeText(entry.created));
    line("steps", stepsText(entry));
    line("best", entry.bestLoss
                     ? fmt::format("validation loss {:.4f} at step {}", *entry.bestLoss, entry.bestStep.value_or(0))
                     : "no validation yet");
    line("speed", entry.tokensPerSecond > 0.0 ? fmt::format("{:.0f} tok/s", entry.tokensPerSecond) : "-");
    line("time", durationText(entry.seconds));
    if (entry.peakBytes > 0) line("peak memory", bytesText(entry.peakBytes));
    line("model", orDash(entry.modelHash));
    line("weights", orDash(entry.weightHash));

    text += "\nSettings that are not the default\n";
    TextTable settings({});
    for (const core::RecipeDifference& change : core::diffRecipes(run.recipe, core::Recipe{})) {
        settings.add({"  " + std::string(change.field->key), change.left});
    }
    text += settings.text();

    if (!run.evaluations.empty()) {
        text += "\nValidation\n";
        TextTable table({"  step", "epoch", "loss", "token accuracy"});
        for (const core::Evaluated& e : run.evaluations) {
            table.add({fmt::format("  {}", e.step), fmt::format("{:.2f}", e.epoch), fmt::format("{:.4f}", e.loss),
                       fmt::format("{:.1f} %", 100.0 * e.tokenAccuracy)});
        }
        text += table.text();
    }
    if (!run.checkpoints.empty()) {
        text += "\nCheckpoints\n";
        TextTable table({"  step", "size", "folder"});
        for (const core::CheckpointInfo& checkpoint : run.checkpoints) {
            table.add({fmt::format("  {}", checkpoint.step), bytesText(checkpoint.bytes),
                       checkpoint.path.filename().string()});
        }
        text += table.text();
    }
    return text;
}

ordered_json runDetailsJson(const RunDetails& run) {
    ordered_json json = runEntryJson(run.entry);
    json["recipe"] = recipeJson(run.recipe);
    json["evaluations"] = ordered_json::array();
    for (const core::Evaluated& e : run.evaluations) {
        json["evaluations"].push_back(
            {{"step", e.step}, {"epoch", e.epoch}, {"loss", e.loss}, {"token_accuracy", e.tokenAccuracy}});
    }
    json["checkpoints"] = ordered_json::array();
    for (const core::CheckpointInfo& c : run.checkpoints) {
        json["checkpoints"].push_back({{"step", c.step}, {"path", c.path.string()}, {"bytes", c.bytes}});
    }
    return json;
}

std::string runDifferenceText(const std::vector<RunDetails>& runs) {
    std::vector<std::string> heading{""};
    for (const RunDetails& run : runs) heading.push_back(run.entry.id);
    TextTable table(heading);
    const auto row = [&](const std::string& name, const auto& valueOf) {
        std::vector<std::string> cells{name};
        for (const RunDetails& run : runs) cells.push_back(valueOf(run));
        table.add(cells);
    };
    row("title", [](const RunDetails& run) { return run.entry.title; });
    row("state", [](const RunDetails& run) { return run.entry.state; });
    const auto changed = changedFields(runs);
    for (const core::RecipeField* field : changed) {
        row(std::string(field->key),
            [field](const RunDetails& run) { return orDash(core::valueText(field->get(run.recipe))); });
    }
    row("steps", [](const RunDetails& run) { return stepsText(run.entry); });
    row("best loss", [](const RunDetails& run) { return lossText(run.entry.bestLoss); });
    row("tok/s", [](const RunDetails& run) { return fmt::format("{:.0f}", run.entry.tokensPerSecond); });
    row("time", [](const RunDetails& run) { return durationText(run.entry.seconds); });
    row("weights", [](const RunDetails& run) { return orDash(run.entry.weightHash.substr(0, 12)); });
    return table.text() + (changed.empty() ? "The settings are the same.\n" : "");
}

ordered_json runDifferenceJson(const std::vector<RunDetails>& runs) {
    ordered_json json{{"runs", ordered_json::array()}, {"settings", ordered_json::array()}};
    for (const RunDetails& run : runs) json["runs"].push_back(runEntryJson(run.entry));
    for (const core::RecipeField* field : changedFields(runs)) {
        ordered_json values = ordered_json::array();
        for (const RunDetails& run : runs) {
            std::visit([&](const auto& value) { values.push_back(value); }, field->get(run.recipe));
        }
        json["settings"].push_back({{"key", field->key}, {"label", field->label}, {"values", values}});
    }
    return json;
}

}  // namespace wb::app
