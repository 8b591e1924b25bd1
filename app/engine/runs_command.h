// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet runs: list, show, diff, stop, pause, continue, rebuild.
void defineRuns(CLI::App& command, CommandContext& context);

}  // namespace wb::app
