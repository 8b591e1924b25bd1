// SPDX-License-Identifier: Apache-2.0
#include "core/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <ctime>
#include <random>
#include <thread>
#include <utility>

#include "core/run/atomic_file.h"
#include "core/run/events.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

constexpr const char* kLockName = "run.lock";
constexpr const char* kControlName = "control";
constexpr size_t kMaxListedRuns = 10;

std::string hostName() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("unknown");
}

// "20260131-142233-k3f9": sorts by time, can be said aloud, and does not repeat on one machine or a cluster.
std::string newRunId() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    constexpr std::string_view kLetters = "abcdefghjkmnpqrstuvwxyz23456789";  // none that look alike
    std::random_device random;
    std::string tail;
    for (int i = 0; i < 4; ++i) tail += kLetters[random() % kLetters.size()];
    return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}-{}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday,
                       local.tm_hour, local.tm_min, local.tm_sec, tail);
}

struct flock wholeFile(short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

// Open-file-description locks can be asked about without taking them, so that looking at a run never keeps a trainer
// out.
bool isLocked(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    const int readable = descriptor >= 0 ? descriptor : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (readable < 0) return false;
    struct flock query = wholeFile(F_WRLCK);
    const bool isAnswered = ::fcntl(readable, F_OFD_GETLK, &query) == 0;
    ::close(readable);
    return isAnswered && query.l_type != F_UNLCK;
}

std::optional<RunOwner> readOwner(const std::filesystem::path& file) {
    std::string text;
    try {
        text = readWholeFile(file, 4096);
    } catch (const Error&) {
        return std::nullopt;
    }
    RunOwner owner;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), owner.pid);
    if (error != std::errc{}) return std::nullopt;
    std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
    owner.host = std::string(rest.substr(0, rest.find('\n')));
    return owner;
}

// What the events say of a run that no process holds.
struct LastWord {
    bool hasEvents = false;
    std::optional<RunState> state;
};

// Only the end of the file is read: a long run has tens of megabytes of steps.
LastWord lastWord(const std::filesystem::path& eventsFile) {
    LastWord word;
    const int descriptor = ::open(eventsFile.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return word;
    struct stat status {};
    std::string tail;
    if (::fstat(descriptor, &status) == 0) {
        constexpr off_t kTailBytes = 256 << 10;
        const off_t from = std::max<off_t>(0, status.st_size - kTailBytes);
        tail.resize(static_cast<size_t>(status.st_size - from));
        const ssize_t count = ::pread(descriptor, tail.data(), tail.size(), from);
        tail.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    }
    ::close(descriptor);
    word.hasEvents = !tail.empty();
    size_t end = tail.rfind('\n');
    while (end != std::string::npos && end > 0 && !word.state) {
        const size_t newline = tail.rfind('\n', end - 1);
        const size_t begin = newline == std::string::npos ? 0 : newline + 1;
        const std::string_view line = std::string_view(tail).substr(begin, end - begin);
        end = newline;
        try {
            const Event event = parseEvent(line);
            if (const auto* finished = std::get_if<RunFinished>(&event.body)) {
                word.state = finished->reason == "stopped" ? RunState::Stopped : RunState::Finished;
            } else if (std::holds_alternative<ErrorRaised>(event.body)) {
                word.state = RunState::Failed;
            } else if (const auto* changed = std::get_if<StateChanged>(&event.body)) {
                word.state = changed->state == "paused" ? RunState::Paused : RunState::Running;
            } else if (std::holds_alternative<RunStarted>(event.body) || std::holds_alternative<StepDone>(event.body)) {
                word.state = RunState::Running;
            }
        } catch (const Error&) {
            continue;  // the reader of events counts bad lines; the state needs only good ones
        }
    }
    return word;
}

std::string knownRuns(const std::vector<RunFolder>& runs) {
    if (runs.empty()) return "there are no runs yet";
    std::string text = "there are";
    for (size_t i = 0; i < runs.size() && i < kMaxListedRuns; ++i) text += (i == 0 ? " " : ", ") + runs[i].id();
    if (runs.size() > kMaxListedRuns) text += fmt::format(" and {} more", runs.size() - kMaxListedRuns);
    return text;
}

}  // namespace

std::string_view runStateName(RunState state) {
    switch (state) {
        case RunState::Created: return "created";
        case RunState::Running: return "running";
        case RunState::Paused: return "paused";
        case RunState::Finished: return "finished";
        case RunState::Stopped: return "stopped";
        case RunState::Failed: return "failed";
        case RunState::Interrupted: return "interrupted";
    }
    return "unknown";
}

RunFolder RunFolder::create(const std::filesystem::path& libraryFolder, const Recipe& recipe) {
    const auto runs = libraryFolder / "runs";
    std::error_code error;
    std::filesystem::create_directories(runs, error);
    if (error) throwSystemError("cannot create", runs, error.value());
    for (int attempt = 0; attempt < 100; ++attempt) {
        RunFolder run(std::filesystem::absolute(runs / newRunId()));
        if (::mkdir(run.path().c_str(), 0755) != 0) {
            if (errno == EEXIST) continue;
            throwSystemError("cannot create", run.path(), errno);
        }
        for (const auto& folder : {run.checkpointsPath(), run.samplesPath(), run.exportsPath()}) {
            if (::mkdir(folder.c_str(), 0755) != 0) throwSystemError("cannot create", folder, errno);
        }
        writeFileAtomically(run.recipePath(), recipeToToml(recipe));
        return run;
    }
    throw Error{ErrorCode::Internal, fmt::format("no free run id in {}", runs.string())};
}

RunFolder RunFolder::open(const std::filesystem::path& folder) {
    auto path = std::filesystem::absolute(folder).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    if (!std::filesystem::exists(path / "recipe.toml")) {
        throw Error{ErrorCode::NotFound, fmt::format("{} is no run folder: it has no recipe.toml", path.string())};
    }
    return RunFolder(path);
}

RunFolder RunFolder::find(const std::filesystem::path& libraryFolder, std::string_view idOrPath) {
    if (idOrPath.empty()) throw Error{ErrorCode::InvalidArgument, "no run given: name a run id or a run folder"};
    const std::filesystem::path path(idOrPath);
    if (std::filesystem::exists(path / "recipe.toml")) return open(path);
    if (idOrPath.find('/') != std::string_view::npos) return open(path);
    const std::vector<RunFolder> runs = list(libraryFolder);
    if (idOrPath == "last" && !runs.empty()) return runs.front();
    std::vector<RunFolder> matches;
    for (const RunFolder& run : runs) {
        const std::string id = run.id();
        if (id == idOrPath) return run;
        if (id.starts_with(idOrPath) || id.ends_with(idOrPath)) matches.push_back(run);
    }
    if (matches.size() == 1) return matches.front();
    const std::string where = (libraryFolder / "runs").string();
    if (matches.empty()) {
        throw Error{ErrorCode::NotFound, fmt::format("no run '{}' in {}: {}", idOrPath, where, knownRuns(runs))};
    }
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("'{}' could be several runs in {}: {}", idOrPath, where, knownRuns(matches))};
}

std::vector<RunFolder> RunFolder::list(const std::filesystem::path& libraryFolder) {
    std::vector<RunFolder> runs;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(libraryFolder / "runs", error)) {
        if (std::filesystem::exists(entry.path() / "recipe.toml", error)) {
            runs.push_back(RunFolder(std::filesystem::absolute(entry.path())));
        }
    }
    std::ranges::sort(runs, std::ranges::greater{}, &RunFolder::id);
    return runs;
}

Recipe RunFolder::recipe() const {
    return loadRecipe(recipePath());
}

RunState RunFolder::state() const {
    // Asked first: a process that ends between the two questions has then written its last event already.
    const bool isHeld = isLocked(m_path / kLockName);
    const LastWord word = lastWord(eventsPath());
    if (isHeld) return word.state == RunState::Paused ? RunState::Paused : RunState::Running;
    if (!word.hasEvents) return RunState::Created;
    if (!word.state || *word.state == RunState::Running || *word.state == RunState::Paused)
        return RunState::Interrupted;
    return *word.state;
}

std::optional<RunOwner> RunFolder::owner() const {
    const auto lock = m_path / kLockName;
    if (!isLocked(lock)) return std::nullopt;
    return readOwner(lock).value_or(RunOwner{});
}

void RunFolder::request(RunControl control) const {
    if (!owner()) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("run {} is {}: no process is at work on it", id(), runStateName(state()))};
    }
    const char* word = control == RunControl::Pause ? "pause" : control == RunControl::Resume ? "resume" : "stop";
    writeFileAtomically(m_path / kControlName, fmt::format("{}\n", word));
}

void RunFolder::requestPause() const {
    request(RunControl::Pause);
}
void RunFolder::requestResume() const {
    request(RunControl::Resume);
}

void RunFolder::requestStop() const {
    request(RunControl::Stop);
    const auto process = owner();
    // The lock was held a moment ago, so the number is that of the trainer and not of a later process.
    if (process && process->pid > 1 && process->host == hostName()) ::kill(static_cast<pid_t>(process->pid), SIGTERM);
}

RunControl RunFolder::control() const {
    std::string text;
    try {
        text = readWholeFile(m_path / kControlName, 4096);
    } catch (const Error&) {
        return RunControl::None;
    }
    const std::string_view word = std::string_view(text).substr(0, text.find('\n'));
    if (word == "pause") return RunControl::Pause;
    if (word == "resume") return RunControl::Resume;
    if (word == "stop") return RunControl::Stop;
    return RunControl::None;
}

void RunFolder::clearControl() const {
    std::error_code ignored;
    std::filesystem::remove(m_path / kControlName, ignored);
}

RunLock::RunLock(const RunFolder& run) {
    const auto file = run.path() / kLockName;
    m_descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (m_descriptor < 0) throwSystemError("cannot open", file, errno);
    struct flock lock = wholeFile(F_WRLCK);
    if (::fcntl(m_descriptor, F_OFD_SETLK, &lock) != 0) {
        const int errorNumber = errno;
        ::close(m_descriptor);
        if (errorNumber != EAGAIN && errorNumber != EACCES) throwSystemError("cannot lock", file, errorNumber);
        const RunOwner owner = readOwner(file).value_or(RunOwner{});
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("run {} is in use by process {} on {}: stop it first, or wait until it ends", run.id(),
                                owner.pid, owner.host)};
    }
    // Not replaced atomically: the lock belongs to this file, and who is locked out only shows the text.
    const std::string text = fmt::format("{} {}\n", ::getpid(), hostName());
    const bool isWritten = ::ftruncate(m_descriptor, 0) == 0 &&
                           ::pwrite(m_descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!isWritten) {
        const int errorNumber = errno;
        ::close(m_descriptor);
        throwSystemError("cannot write", file, errorNumber);
    }
    // A request to the process before is none to this one.
    run.clearControl();
}

RunLock::RunLock(RunLock&& other) noexcept : m_descriptor(std::exchange(other.m_descriptor, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
    std::swap(m_descriptor, other.m_descriptor);
    return *this;
}

RunLock::~RunLock() {
    if (m_descriptor >= 0) ::close(m_descriptor);
}

}  // namespace wb::core
