// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "training/data/dataset.h"

namespace wb::training::testing {

// The folder of real data sets that tests may read if it is there.
inline std::filesystem::path sharedData() {
    if (const char* folder = std::getenv("WHETBENCH_SHARED_DATA")) return folder;
    return std::filesystem::path(WHETBENCH_SOURCE_DIR) / ".." / "shared" / "data";
}

inline std::vector<int64_t> linesOf(const std::vector<BadLine>& list) {
    std::vector<int64_t> lines;
    for (const BadLine& entry : list) lines.push_back(entry.line);
    return lines;
}

inline std::vector<int64_t> linesOf(const std::vector<Example>& list) {
    std::vector<int64_t> lines;
    for (const Example& entry : list) lines.push_back(entry.sourceLine);
    return lines;
}

}  // namespace wb::training::testing

// Skips the test by the name of what is missing.
#define WB_NEED_FILE(path) \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "not here: " << (path).string()
