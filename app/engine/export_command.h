// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "app/engine/command_context.h"

namespace wb::app {

// `whet export`: a run's best checkpoint as files that other tools load, with a certificate.
void defineExport(CLI::App& command, CommandContext& context);

}  // namespace wb::app
