// SPDX-License-Identifier: Apache-2.0
// events.jsonl on the disk: the writer and the reader that follows it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/run/atomic_file.h"
#include "core/run/events.h"
#include "kernels/base/error.h"

namespace wb::core {
namespace {

// No event comes near it; a longer "line" is foreign and is skipped without being kept.
constexpr size_t kMaxLineBytes = size_t{16} << 20;
constexpr size_t kReadBytes = size_t{256} << 10;

bool isCompleteEvent(std::string_view line) {
    try {
        (void)parseEvent(line);
        return true;
    } catch (const Error&) {
        return false;
    }
}

int64_t fileSize(int descriptor, const std::filesystem::path& file) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) throwSystemError("cannot read", file, errno);
    return status.st_size;
}

// The bytes after the last newline, with the offset at which they begin.
std::pair<int64_t, std::string> lastLine(int descriptor, const std::filesystem::path& file) {
    int64_t begin = fileSize(descriptor, file);
    std::string tail;
    while (begin > 0) {
        const int64_t from = std::max<int64_t>(0, begin - static_cast<int64_t>(kReadBytes));
        std::string block(static_cast<size_t>(begin - from), '\0');
        const ssize_t count = ::pread(descriptor, block.data(), block.size(), from);
        if (count != static_cast<ssize_t>(block.size())) throwSystemError("cannot read", file, errno);
        const size_t newline = block.rfind('\n');
        if (newline != std::string::npos) {
            return {from + static_cast<int64_t>(newline) + 1, block.substr(newline + 1) + tail};
        }
        tail.insert(0, block);
        begin = from;
    }
    return {0, std::move(tail)};
}

// True if all bytes were taken.
bool writeOnce(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

// A file that may not be there yet.
class InputFile {
public:
    explicit InputFile(const std::filesystem::path& file) : m_file(file) {
        m_descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (m_descriptor < 0 && errno != ENOENT) throwSystemError("cannot open", file, errno);
    }
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;
    ~InputFile() {
        if (m_descriptor >= 0) ::close(m_descriptor);
    }

    bool exists() const { return m_descriptor >= 0; }
    int descriptor() const { return m_descriptor; }

    // Appends the next block to `bytes`; false at the end of the file.
    bool append(std::string& bytes, int64_t offset) const {
        const size_t before = bytes.size();
        bytes.resize(before + kReadBytes);
        const ssize_t count = ::pread(m_descriptor, bytes.data() + before, kReadBytes, offset);
        if (count < 0) throwSystemError("cannot read", m_file, errno);
        bytes.resize(before + static_cast<size_t>(count));
        return count > 0;
    }

private:
    const std::filesystem::path& m_file;
    int m_descriptor = -1;
};

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& file) : m_file(file) {
    m_descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (m_descriptor < 0) throwSystemError("cannot open", file, errno);
    try {
        const auto [begin, torn] = lastLine(m_descriptor, file);
        if (torn.empty()) return;
        const bool isMended =
            isCompleteEvent(torn) ? writeOnce(m_descriptor, "\n") : ::ftruncate(m_descriptor, begin) == 0;
        if (!isMended) throwSystemError("cannot mend the last line of", file, errno);
    } catch (const Error&) {
        ::close(m_descriptor);
        throw;
    }
}

EventWriter::EventWriter(EventWriter&& other) noexcept
    : m_file(std::move(other.m_file)), m_descriptor(std::exchange(other.m_descriptor, -1)) {}

EventWriter& EventWriter::operator=(EventWriter&& other) noexcept {
    std::swap(m_file, other.m_file);
    std::swap(m_descriptor, other.m_descriptor);
    return *this;
}

EventWriter::~EventWriter() {
    if (m_descriptor >= 0) ::close(m_descriptor);
}

void EventWriter::write(const Event& event) {
    const int64_t before = fileSize(m_descriptor, m_file);
    if (writeOnce(m_descriptor, toJsonLine(event) + "\n")) return;
    const int errorNumber = errno;
    // A part of the line on a full disk must not stay: the next event would be joined to it.
    if (::ftruncate(m_descriptor, before) != 0)
        throwSystemError("cannot write and cannot undo in", m_file, errorNumber);
    throwSystemError("cannot write", m_file, errorNumber);
}

void EventWriter::sync() {
    if (::fdatasync(m_descriptor) != 0) throwSystemError("cannot write", m_file, errno);
}

void EventReader::takeLine(std::string_view line, std::vector<Event>& events) {
    if (std::exchange(m_isSkipping, false)) {
        ++m_badLines;
        return;
    }
    if (line.empty()) return;
    try {
        events.push_back(parseEvent(line));
    } catch (const Error&) {
        ++m_badLines;
    }
}

std::vector<Event> EventReader::poll(size_t maxEvents) {
    std::vector<Event> events;
    m_wasRestarted = false;
    const InputFile input(m_file);
    if (!input.exists()) return events;
    if (fileSize(input.descriptor(), m_file) < m_offset) {
        m_wasRestarted = true;
        m_isSkipping = false;
        m_offset = 0;
    }
    std::string pending;  // from m_offset on
    while (events.size() < maxEvents) {
        const size_t before = pending.size();
        if (!input.append(pending, m_offset + static_cast<int64_t>(before))) return events;
        size_t begin = 0;
        size_t newline = pending.find('\n', before);
        while (newline != std::string::npos && events.size() < maxEvents) {
            takeLine(std::string_view(pending).substr(begin, newline - begin), events);
            begin = newline + 1;
            newline = pending.find('\n', begin);
        }
        m_offset += static_cast<int64_t>(begin);
        pending.erase(0, begin);
        if (pending.size() > kMaxLineBytes) {
            m_isSkipping = true;
            m_offset += static_cast<int64_t>(pending.size());
            pending.clear();
        }
    }
    return events;
}

std::vector<Event> readEvents(const std::filesystem::path& file) {
    EventReader reader(file);
    return reader.poll();
}

}  // namespace wb::core
