// SPDX-License-Identifier: Apache-2.0
// runs/<id>/: recipe.toml, events.jsonl, checkpoints/step-NNNNNN/, samples/, exports/. The folder is the truth about a
// run; run.lock says whether a process is at work on it, `control` carries requests to that process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/run/recipe.h"

namespace wb::core {

enum class RunState {
    Created,      // nothing has happened yet
    Running,      // a process is at work
    Paused,       // a process is there and waits
    Finished,     // completed or stopped early because validation did not improve
    Stopped,      // stopped on request with a checkpoint; can be resumed
    Failed,       // ended with an error
    Interrupted,  // the process is gone without a word; can be resumed
};

// "running", ...
std::string_view runStateName(RunState state);

enum class RunControl { None, Pause, Resume, Stop };

// The process that holds a run.
struct RunOwner {
    int64_t pid = 0;
    std::string host;
};

class RunFolder {
public:
    // Makes `<library>/runs/<new id>/` with its recipe. Throws Io.
    static RunFolder create(const std::filesystem::path& libraryFolder, const Recipe& recipe);

    // Opens an existing run folder. Throws NotFound if there is no recipe.toml.
    static RunFolder open(const std::filesystem::path& folder);

    // `idOrPath` is a run id, the unique beginning or end of one, "last", or a path. Throws NotFound naming the runs
    // that are there, InvalidArgument if several match.
    static RunFolder find(const std::filesystem::path& libraryFolder, std::string_view idOrPath);

    // Newest first; folders without a recipe are left out.
    static std::vector<RunFolder> list(const std::filesystem::path& libraryFolder);

    const std::filesystem::path& path() const { return m_path; }
    std::string id() const { return m_path.filename().string(); }

    std::filesystem::path recipePath() const { return m_path / "recipe.toml"; }
    std::filesystem::path eventsPath() const { return m_path / "events.jsonl"; }
    std::filesystem::path checkpointsPath() const { return m_path / "checkpoints"; }
    std::filesystem::path samplesPath() const { return m_path / "samples"; }
    std::filesystem::path exportsPath() const { return m_path / "exports"; }
    std::filesystem::path logPath() const { return m_path / "train.log"; }

    // Throws what loadRecipe throws.
    Recipe recipe() const;

    // From the lock and the last events; never changes anything.
    RunState state() const;

    // The process at work on the run, if any.
    std::optional<RunOwner> owner() const;

    // Asks the process at work. Stop also sends SIGTERM if it is on this machine. Throws InvalidArgument if no process
    // holds the run.
    void requestPause() const;
    void requestResume() const;
    void requestStop() const;

    // The trainer polls this between steps; a request stays until it is replaced or cleared.
    RunControl control() const;
    void clearControl() const;

private:
    explicit RunFolder(std::filesystem::path path) : m_path(std::move(path)) {}
    void request(RunControl control) const;

    std::filesystem::path m_path;
};

// Held by the one process that works on a run; the system releases it when the process dies, however it dies.
class RunLock {
public:
    // Throws InvalidArgument naming the process that holds it.
    explicit RunLock(const RunFolder& run);
    RunLock(RunLock&& other) noexcept;
    RunLock& operator=(RunLock&& other) noexcept;
    ~RunLock();

private:
    int m_descriptor = -1;
};

}  // namespace wb::core
