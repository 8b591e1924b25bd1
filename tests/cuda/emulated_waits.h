// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace wb::kernels::testing {

// How often the host has waited for unfinished work of the emulated GPU; nothing on a real one.
std::optional<int64_t> emulatedWaits();

}  // namespace wb::kernels::testing
