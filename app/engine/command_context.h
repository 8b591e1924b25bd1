// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "kernels/base/error.h"

namespace wb::app {

// The command line itself is wrong: exit code 2 instead of 1. Commands throw it for values of their options.
class UsageError : public Error {
public:
    explicit UsageError(const std::string& message) : Error(ErrorCode::InvalidArgument, message) {}
};

// Options that every command takes, before or after its name. Empty and 0 mean "not given".
struct GlobalOptions {
    bool isJson = false;
    bool isQuiet = false;
    std::string library;
    std::string device;
    int threads = 0;
};

// What a command gets besides its own options: where the library is, how to answer. One per process, main thread only.
class CommandContext {
public:
    GlobalOptions& options() { return m_options; }
    const GlobalOptions& options() const { return m_options; }
    bool isJson() const { return m_options.isJson; }

    // The library folder, absolute; it need not exist. Throws NotFound.
    std::filesystem::path libraryFolder() const;

    // Text for people on standard output; with --json nothing, because the object is all there is.
    void print(std::string_view text) const;

    // Something that happened on the way, as one line; without --json nothing. For commands that were asked for it: the
    // answer then is one line, too, and the last.
    void printProgress(const nlohmann::ordered_json& event);
    // The answer to --json, once per command; without --json nothing.
    void printJson(const nlohmann::ordered_json& answer);
    bool hasAnswered() const { return m_hasAnswered; }

    // True if standard output is a terminal and NO_COLOR is not set.
    bool useColor() const;
    // `text` in bold, or as it is without colour.
    std::string bold(std::string_view text) const;

private:
    GlobalOptions m_options;
    bool m_hasAnswered = false;
    bool m_hasProgress = false;
};

// Sends logs to standard error: coloured on a terminal unless NO_COLOR is set, errors only with --quiet.
void setUpLogging(const GlobalOptions& options);

// "4.1 GB", "312 MB", "17 bytes".
std::string bytesText(int64_t bytes);
// "2 h 05 min", "3 min 20 s", "12.5 s".
std::string durationText(double seconds);

}  // namespace wb::app
