// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet bench train, prefill, decode and configs.
void defineModelBenches(CLI::App& bench, CommandContext& context);

}  // namespace wb::app
