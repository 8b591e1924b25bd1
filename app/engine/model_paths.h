// SPDX-License-Identifier: Apache-2.0
// From what a user types to the folder that is meant.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/run/run_folder.h"

namespace wb::app {

// resources/ of the source tree or of an installation: beside the executable's folder, else where it was built.
// Throws NotFound.
std::filesystem::path resourceFolder();

// A model folder, a .gguf file, or the name of a bundled model ("pocket"). Throws NotFound naming the bundled ones.
std::filesystem::path resolveModel(std::string_view name);

// The recipe with its model found and every path absolute, so that the run means the same from any folder.
core::Recipe resolveRecipe(core::Recipe recipe);

// What stands in the tuned pane.
struct TunedSource {
    enum class Kind {
        Adapter,  // `folder` is a PEFT adapter
        Model     // `folder` is a whole model
    };
    Kind kind = Kind::Adapter;
    std::filesystem::path folder;
    std::optional<core::RunFolder> run;  // where it came from, if from a run
    std::optional<int64_t> step;
};

// A PEFT folder, a model folder, a checkpoint folder, or a run (id or folder): of a run the best checkpoint, else the
// newest. Throws NotFound or InvalidArgument.
TunedSource resolveTuned(std::string_view name, const std::filesystem::path& libraryFolder);

// The same of a run that was found already.
TunedSource tunedOfRun(const core::RunFolder& run);

}  // namespace wb::app
