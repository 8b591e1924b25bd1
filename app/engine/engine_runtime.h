// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "app/engine/command_context.h"
#include "kernels/runtime/runtime.h"

namespace wb::app {

// The device that "auto" means here: the first accelerator, else the CPU. Throws what parseDevice throws.
Device chooseDevice(std::string_view name);

// A runtime for the device, thread count and attention backend a command was given. "auto" and 0 choose.
kernels::Runtime makeRuntime(std::string_view device, int threads, std::string_view attention = "auto");

// Refuses --device of another device than the processor: "whet bench gemm measures the processor only". Throws
// UsageError.
void requireProcessor(const CommandContext& context, std::string_view command);

}  // namespace wb::app
