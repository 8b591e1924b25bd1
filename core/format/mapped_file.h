// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace wb::core {

// A file mapped read-only into memory: opening a 10 GB checkpoint costs address space, not memory. Move-only.
// The file must not be shortened by somebody else while it is mapped. Thread-safe.
class MappedFile {
public:
    // Throws NotFound (no such file, or a folder) or Io (not readable, not mappable).
    static MappedFile open(const std::filesystem::path& path);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {m_data, m_size}; }
    const std::filesystem::path& path() const { return m_path; }

private:
    MappedFile() = default;

    std::filesystem::path m_path;
    const std::byte* m_data = nullptr;
    size_t m_size = 0;
};

// The whole of a small file as text. Throws NotFound or Io, CorruptFile if it is longer than maxBytes.
std::string readTextFile(const std::filesystem::path& path, size_t maxBytes);

}  // namespace wb::core
