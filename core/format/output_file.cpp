// SPDX-License-Identifier: Apache-2.0
#include "core/format/output_file.h"

#include "kernels/base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace wb::core {
namespace {

// Creates a file of a name nobody else uses; leaves it readable as any other file of the user would be.
int createTemporary(const std::filesystem::path& target, std::filesystem::path& temporary) {
    for (int attempt = 0; attempt < 1000; ++attempt) {
        temporary = target;
        temporary += fmt::format(".tmp-{}-{}", ::getpid(), attempt);
        const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
    }
    return -1;
}

int flushFolder(const std::filesystem::path& folder) {
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    // Some file systems cannot flush a folder and say EINVAL; the rename is then as safe as they make it.
    const int reason = (::fsync(descriptor) == 0 || errno == EINVAL) ? 0 : errno;
    ::close(descriptor);
    return reason;
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path) : m_path(std::move(path)) {
    m_descriptor = createTemporary(m_path, m_temporaryPath);
    if (m_descriptor >= 0) return;
    const int reason = errno;
    const ErrorCode code = reason == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
    throw Error{code, fmt::format("{}: cannot be created: {}", m_path.string(), std::strerror(reason))};
}

OutputFile::~OutputFile() {
    if (m_descriptor < 0) return;
    ::close(m_descriptor);
    ::unlink(m_temporaryPath.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
    WB_CHECK(m_descriptor >= 0, "write() after commit()");
    m_hash.update(bytes);
    m_bytes += bytes.size();
    while (!bytes.empty()) {
        constexpr size_t kMaxChunk = size_t{1} << 30;  // Linux writes at most 2 GiB a call
        const ssize_t written = ::write(m_descriptor, bytes.data(), std::min(bytes.size(), kMaxChunk));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail("written", errno);
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
}

void OutputFile::write(std::string_view text) {
    write(std::as_bytes(std::span(text)));
}

WrittenFile OutputFile::commit() {
    WB_CHECK(m_descriptor >= 0, "commit() called twice");
    if (::fsync(m_descriptor) != 0) fail("flushed to disk", errno);
    if (::rename(m_temporaryPath.c_str(), m_path.c_str()) != 0) fail("renamed into place", errno);
    ::close(m_descriptor);
    m_descriptor = -1;
    if (const int reason = flushFolder(m_path.parent_path()); reason != 0) fail("made durable in its folder", reason);
    return {.sha256 = m_hash.finish(), .bytes = m_bytes};
}

void OutputFile::fail(const char* action, int reason) const {
    throw Error{ErrorCode::Io,
                fmt::format("{}: cannot be {} after {} bytes: {}{}", m_path.string(), action, m_bytes,
                            std::strerror(reason), reason == ENOSPC ? "; free some disk space and try again" : "")};
}

}  // namespace wb::core
