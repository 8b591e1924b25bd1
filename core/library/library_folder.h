// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

namespace wb::core {

// The folder that holds runs and library.db: `wanted` if it is not empty, else the environment variable
// WHETBENCH_LIBRARY, else $XDG_DATA_HOME/whetbench, else ~/.local/share/whetbench. Absolute; it need not exist yet.
// Throws NotFound if none of them says where.
std::filesystem::path resolveLibraryFolder(std::string_view wanted);

}  // namespace wb::core
