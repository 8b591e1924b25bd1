// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace wb::core {

// "0.1.0": of this build, written into runs and exports.
std::string_view engineVersion();

}  // namespace wb::core
