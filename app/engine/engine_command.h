// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// `whet engine --stdio`: serves the workbench over standard input and output (core/run/protocol.h).
void defineEngine(CLI::App& command, CommandContext& context);

}  // namespace wb::app
