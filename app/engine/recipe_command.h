// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet recipe: a recipe file from defaults and options.
void defineRecipe(CLI::App& command, CommandContext& context);

}  // namespace wb::app
