// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet bench cuda: checks and timings of the CUDA plugin in one go.
void defineCudaBench(CLI::App& command, CommandContext& context);

}  // namespace wb::app
