// SPDX-License-Identifier: Apache-2.0
#include "core/library/library_folder.h"

#include <cstdlib>
#include <string>

#include "kernels/base/error.h"

namespace wb::core {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::filesystem::path resolveLibraryFolder(std::string_view wanted) {
    const auto absolute = [](const std::filesystem::path& path) {
        const auto normal = std::filesystem::absolute(path).lexically_normal();
        return normal.has_filename() ? normal : normal.parent_path();
    };
    if (!wanted.empty()) return absolute(wanted);
    if (const std::string own = environment("WHETBENCH_LIBRARY"); !own.empty()) return absolute(own);
    const std::filesystem::path data = environment("XDG_DATA_HOME");
    // The desktop's rule: a relative path there is to be ignored.
    if (data.is_absolute()) return absolute(data / "whetbench");
    if (const std::string home = environment("HOME"); !home.empty()) return absolute(home + "/.local/share/whetbench");
    throw Error{ErrorCode::NotFound,
                "no library folder: neither WHETBENCH_LIBRARY, XDG_DATA_HOME nor HOME is set; give --library DIR"};
}

}  // namespace wb::core
