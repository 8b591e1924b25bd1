// SPDX-License-Identifier: Apache-2.0
// Private to the library: steps from an empty file to the present tables.
#pragma once

#include <span>
#include <string_view>

namespace wb::core {

// Step i brings a file of user_version i to i + 1. Steps are only ever added: files of any age exist.
std::span<const std::string_view> schemaSteps();

}  // namespace wb::core
