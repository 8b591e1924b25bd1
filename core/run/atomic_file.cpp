// SPDX-License-Identifier: Apache-2.0
#include "core/run/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/base/error.h"

namespace wb::core {
namespace {

// Closes on scope exit.
class Descriptor {
public:
    Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0)
        : m_value(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
        if (m_value < 0) throwSystemError("cannot open", path, errno);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (m_value >= 0) ::close(m_value);
    }

    int get() const { return m_value; }
    // Some file systems report a failed write only here.
    void close(const std::filesystem::path& path) {
        if (::close(std::exchange(m_value, -1)) != 0) throwSystemError("cannot write", path, errno);
    }

private:
    int m_value;
};

void writeAll(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            throwSystemError("cannot write", path, errno);
        }
        bytes.remove_prefix(static_cast<size_t>(written));
    }
}

}  // namespace

void throwSystemError(std::string_view what, const std::filesystem::path& path, int errorNumber) {
    const ErrorCode code = errorNumber == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
    throw Error{code, fmt::format("{} {}: {}", what, path.string(), std::strerror(errorNumber))};
}

void writeFileAtomically(const std::filesystem::path& file, std::string_view bytes) {
    // The process id keeps two writers of one file from sharing a temporary.
    const std::filesystem::path temporary =
        file.parent_path() / fmt::format(".{}.{}.tmp", file.filename().string(), ::getpid());
    try {
        Descriptor output(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        writeAll(output.get(), bytes, temporary);
        if (::fsync(output.get()) != 0) throwSystemError("cannot write", temporary, errno);
        output.close(temporary);
        if (::rename(temporary.c_str(), file.c_str()) != 0) throwSystemError("cannot replace", file, errno);
    } catch (const Error&) {
        ::unlink(temporary.c_str());
        throw;
    }
    syncFolder(file.parent_path());
}

std::string readWholeFile(const std::filesystem::path& file, size_t maxBytes) {
    const Descriptor input(file, O_RDONLY);
    struct stat status {};
    if (::fstat(input.get(), &status) != 0) throwSystemError("cannot read", file, errno);
    if (S_ISDIR(status.st_mode)) throwSystemError("cannot read", file, EISDIR);
    std::string bytes;
    // The size is only a hint: files of /proc say 0, and others may be growing.
    size_t step = std::min<size_t>(maxBytes, static_cast<size_t>(status.st_size)) + 1;
    while (true) {
        const size_t before = bytes.size();
        bytes.resize(before + step);
        const ssize_t count = ::read(input.get(), bytes.data() + before, step);
        const int errorNumber = errno;
        bytes.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
        if (count == 0) return bytes;
        if (count < 0 && errorNumber != EINTR) throwSystemError("cannot read", file, errorNumber);
        if (bytes.size() > maxBytes) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("{}: longer than the {} bytes that are accepted here", file.string(), maxBytes)};
        }
        step = 65536;
    }
}

void syncFile(const std::filesystem::path& file) {
    const Descriptor handle(file, O_RDONLY);
    if (::fsync(handle.get()) != 0) throwSystemError("cannot write", file, errno);
}

void syncFolder(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder.empty() ? std::filesystem::path(".") : folder;
    const Descriptor handle(path, O_RDONLY | O_DIRECTORY);
    // Some network file systems cannot sync a folder and say EINVAL; the rename is then as durable as it gets.
    if (::fsync(handle.get()) != 0 && errno != EINVAL) throwSystemError("cannot write", path, errno);
}

}  // namespace wb::core
