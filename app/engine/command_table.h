// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "app/engine/command_context.h"

namespace wb::app {

// One command of whet. `define` adds its options and sets the callback that does the work; the callback throws
// UsageError for a bad value and Error for anything else that goes wrong.
struct CommandRow {
    std::string_view name;
    std::string_view group;    // heading in `whet --help`
    std::string_view summary;  // one line, no full stop
    void (*define)(CLI::App& command, CommandContext& context);
};

// In the order of `whet --help`.
std::span<const CommandRow> commandTable();

// The command most like `wrong`, or nothing if none is close.
std::optional<std::string_view> nearestCommand(std::string_view wrong);

}  // namespace wb::app
