// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/app/whet_process.h"
#include "tests/support/temporary_folder.h"

namespace wb::test {

// A library, a tiny model that whet trained from scratch, and prompt/response rows: what the whole path needs.
class TinyWorkspace {
public:
    // Takes some seconds; fails the test if whet cannot train.
    TinyWorkspace();

    // Two layers, hidden 32, the bundled model's vocabulary, 128 positions.
    std::string model() const { return m_model.string(); }
    std::string rows() const { return path("rows.jsonl"); }
    std::string path(std::string_view name) const { return (m_folder / name).string(); }
    std::string library() const { return path("library"); }

    // The options every training in these tests has: data, library, one thread.
    std::vector<std::string> trainArguments(const std::vector<std::string>& more,
                                            const std::string& libraryName = "library") const;

private:
    TemporaryFolder m_folder;
    std::filesystem::path m_model;
};

// Runs whet with --json; checks the exit code and that standard output is one object and nothing else.
nlohmann::json answerOf(std::vector<std::string> arguments, int exitCode = 0);

// The folder of shared data, or a path that does not exist.
std::filesystem::path sharedData();

}  // namespace wb::test
