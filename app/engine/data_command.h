// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// `whet data inspect FILE`: format, bad lines, lengths, duplicates and what would be trained, without training.
void defineData(CLI::App& command, CommandContext& context);

}  // namespace wb::app
