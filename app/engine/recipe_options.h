// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "app/engine/command_context.h"
#include "core/run/recipe.h"

namespace wb::app {

// The settings that were given on a command line: `--recipe FILE` and one option per recipe key.
class RecipeOptions {
public:
    // Adds the options to the command, grouped as the table groups them. The object must outlive the command's
    // callback.
    void addTo(CLI::App& command);

    // `base`, then the recipe file, then the options, then --device and --threads of whet itself.
    // Throws UsageError for a value that is not allowed, in the file too.
    core::Recipe resolve(const CommandContext& context, const core::Recipe& base = {}) const;

    // True if this key was given as an option.
    bool isGiven(std::string_view key) const;

private:
    std::string m_recipeFile;
    std::map<std::string, std::string, std::less<>> m_given;  // by key
};

}  // namespace wb::app
