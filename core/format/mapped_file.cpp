// SPDX-License-Identifier: Apache-2.0
#include "core/format/mapped_file.h"

#include "kernels/base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <utility>

namespace wb::core {
namespace {

class FileHandle {
public:
    explicit FileHandle(const std::filesystem::path& path) : m_descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (m_descriptor >= 0) return;
        const int reason = errno;
        const ErrorCode code = (reason == ENOENT || reason == ENOTDIR) ? ErrorCode::NotFound : ErrorCode::Io;
        throw Error{code, fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(reason))};
    }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle() { ::close(m_descriptor); }

    int descriptor() const { return m_descriptor; }

private:
    int m_descriptor;
};

size_t regularFileSize(const FileHandle& file, const std::filesystem::path& path) {
    struct stat status {};
    if (::fstat(file.descriptor(), &status) != 0) {
        throw Error{ErrorCode::Io, fmt::format("{}: {}", path.string(), std::strerror(errno))};
    }
    if (S_ISDIR(status.st_mode)) {
        throw Error{ErrorCode::NotFound, fmt::format("{}: is a folder, a file was wanted", path.string())};
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error{ErrorCode::Io, fmt::format("{}: is not a regular file", path.string())};
    }
    return static_cast<size_t>(status.st_size);
}

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
    const FileHandle file(path);
    MappedFile result;
    result.m_path = path;
    result.m_size = regularFileSize(file, path);
    if (result.m_size == 0) return result;  // mmap refuses a length of 0
    void* data = ::mmap(nullptr, result.m_size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (data == MAP_FAILED) {
        const int reason = errno;
        result.m_size = 0;
        throw Error{ErrorCode::Io, fmt::format("{}: cannot be mapped: {}", path.string(), std::strerror(reason))};
    }
    result.m_data = static_cast<const std::byte*>(data);
    return result;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : m_path(std::move(other.m_path)),
      m_data(std::exchange(other.m_data, nullptr)),
      m_size(std::exchange(other.m_size, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(m_path, other.m_path);
    std::swap(m_data, other.m_data);
    std::swap(m_size, other.m_size);
    return *this;
}

MappedFile::~MappedFile() {
    if (m_data != nullptr) ::munmap(const_cast<std::byte*>(m_data), m_size);
}

std::string readTextFile(const std::filesystem::path& path, size_t maxBytes) {
    const MappedFile file = MappedFile::open(path);
    const auto bytes = file.bytes();
    if (bytes.size() > maxBytes) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: has {} bytes, at most {} are expected of such a file",
                                                        path.string(), bytes.size(), maxBytes)};
    }
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace wb::core
