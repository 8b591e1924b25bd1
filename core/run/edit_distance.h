// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace wb::core {

// The candidate that differs from `wrong` by the fewest inserted, dropped or replaced letters; nothing if that is more
// than a slip of the finger (a third of the letters, at least 2).
std::optional<std::string_view> nearestWord(std::string_view wrong, std::span<const std::string_view> candidates);

}  // namespace wb::core
