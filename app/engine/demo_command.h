// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// `whet demo`: the main job on the bundled model and sample, start to end.
void defineDemo(CLI::App& command, CommandContext& context);

}  // namespace wb::app
