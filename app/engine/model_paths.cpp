// SPDX-License-Identifier: Apache-2.0
#include "app/engine/model_paths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "adapters/peft.h"
#include "core/run/checkpoint_folder.h"
#include "core/run/events.h"
#include "kernels/base/error.h"

namespace wb::app {
namespace {

namespace fs = std::filesystem;

bool isModel(const fs::path& path) {
    std::error_code error;
    return fs::exists(path / "config.json", error) || path.extension() == ".gguf";
}

std::vector<std::string> bundledModels() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(resourceFolder() / "models", error)) {
        if (isModel(entry.path())) names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

std::optional<TunedSource> tunedOfFolder(const fs::path& folder) {
    if (adapters::isPeftFolder(folder)) return TunedSource{TunedSource::Kind::Adapter, folder, {}, {}};
    if (adapters::isPeftFolder(folder / "adapter"))
        return TunedSource{TunedSource::Kind::Adapter, folder / "adapter", {}, {}};
    if (isModel(folder)) return TunedSource{TunedSource::Kind::Model, folder, {}, {}};
    return std::nullopt;
}

std::optional<int64_t> bestStepOf(const core::RunFolder& run) {
    std::optional<int64_t> best;
    for (const core::Event& event : core::readEvents(run.eventsPath())) {
        if (const auto* evaluated = std::get_if<core::Evaluated>(&event.body);
            evaluated != nullptr && evaluated->isBest) {
            best = evaluated->step;
        }
    }
    return best;
}

}  // namespace

fs::path resourceFolder() {
    std::error_code error;
    const fs::path executable = fs::read_symlink("/proc/self/exe", error);
    const fs::path installed = executable.parent_path().parent_path() / "share/whetbench/resources";
    for (const fs::path& folder : {installed, fs::path(WHETBENCH_RESOURCE_DIR)}) {
        if (fs::exists(folder / "models", error)) return folder;
    }
    throw Error{ErrorCode::NotFound,
                fmt::format("the bundled models are neither in {} nor in {}; install Whetbench again",
                            installed.string(), WHETBENCH_RESOURCE_DIR)};
}

fs::path resolveModel(std::string_view name) {
    const fs::path path(name);
    std::error_code error;
    // A folder of this name that is no model does not hide the bundled one.
    if (isModel(path) || path.has_parent_path()) {
        if (fs::exists(path, error)) return path;
        throw Error{ErrorCode::NotFound, fmt::format("model {} does not exist", name)};
    }
    const fs::path bundled = resourceFolder() / "models" / path;
    if (isModel(bundled)) return bundled;
    if (fs::exists(path, error)) return path;
    throw Error{ErrorCode::NotFound,
                fmt::format("no model '{}': give a model folder, a .gguf file or a bundled model ({})", name,
                            fmt::join(bundledModels(), ", "))};
}

core::Recipe resolveRecipe(core::Recipe recipe) {
    if (!recipe.model.empty()) recipe.model = resolveModel(recipe.model).string();
    return core::withAbsolutePaths(std::move(recipe));
}

TunedSource tunedOfRun(const core::RunFolder& run) {
    const std::vector<core::CheckpointInfo> checkpoints = core::listCheckpoints(run.checkpointsPath());
    if (checkpoints.empty()) {
        throw Error{
            ErrorCode::NotFound,
            fmt::format("run {} has no checkpoint yet; let it finish an epoch or stop it with a checkpoint", run.id())};
    }
    const std::optional<int64_t> best = bestStepOf(run);
    const auto found =
        std::ranges::find_if(checkpoints, [&](const core::CheckpointInfo& info) { return info.step == best; });
    const core::CheckpointInfo& chosen = found != checkpoints.end() ? *found : checkpoints.back();
    std::optional<TunedSource> tuned = tunedOfFolder(chosen.path);
    if (!tuned)
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{} holds neither an adapter nor a model", chosen.path.string())};
    tuned->run = run;
    tuned->step = chosen.step;
    return *tuned;
}

TunedSource resolveTuned(std::string_view name, const fs::path& libraryFolder) {
    const fs::path path(name);
    std::error_code error;
    if (fs::exists(path, error)) {
        if (auto tuned = tunedOfFolder(path)) return *tuned;
        if (fs::exists(path / "recipe.toml", error)) return tunedOfRun(core::RunFolder::open(path));
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("{} is neither an adapter (adapter_config.json), a model (config.json) nor a run (recipe.toml)",
                        name)};
    }
    return tunedOfRun(core::RunFolder::find(libraryFolder, name));
}

}  // namespace wb::app
