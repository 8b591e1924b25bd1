// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// whet bench: peak, gemm, attention, train, prefill, decode, configs, cuda.
void defineBench(CLI::App& command, CommandContext& context);

}  // namespace wb::app
