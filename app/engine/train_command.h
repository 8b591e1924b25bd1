// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// `whet train`: runs a recipe in a run folder, or resumes one.
void defineTrain(CLI::App& command, CommandContext& context);

// `whet plan`: the exact memory peak of a recipe, without running it.
void definePlan(CLI::App& command, CommandContext& context);

}  // namespace wb::app
