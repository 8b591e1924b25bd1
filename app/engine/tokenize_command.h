// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet tokenize: texts to ids and back, for scripts that compare vocabularies.
void defineTokenize(CLI::App& command, CommandContext& context);

}  // namespace wb::app
