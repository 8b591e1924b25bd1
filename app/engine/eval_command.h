// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// `whet eval`: scores a model on running text or on prompt/response data.
void defineEval(CLI::App& command, CommandContext& context);

}  // namespace wb::app
