// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet doctor: processor, memory, GPU or why none, library folder, versions.
void defineDoctor(CLI::App& command, CommandContext& context);

}  // namespace wb::app
