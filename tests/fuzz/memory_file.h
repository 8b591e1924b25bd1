// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>

namespace wb::test {

// Bytes under a path without touching a disk: readers that map files are fuzzed through it.
class MemoryFile {
public:
    MemoryFile(const uint8_t* data, size_t size) : m_descriptor(::memfd_create("fuzz", MFD_CLOEXEC)) {
        while (m_descriptor >= 0 && size > 0) {
            const ssize_t written = ::write(m_descriptor, data, size);
            if (written <= 0) break;
            data += written;
            size -= static_cast<size_t>(written);
        }
        if (m_descriptor < 0 || size > 0) throw std::runtime_error("no memory file");
    }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    ~MemoryFile() { ::close(m_descriptor); }

    std::filesystem::path path() const { return fmt::format("/proc/self/fd/{}", m_descriptor); }

private:
    int m_descriptor;
};

}  // namespace wb::test
