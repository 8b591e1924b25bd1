// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/run/sha256.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace wb::core {

struct WrittenFile {
    std::string sha256;  // of the whole file, lower-case hexadecimal
    uint64_t bytes = 0;
};

// A file that appears under its name only when it is complete: written next to it, flushed to disk, renamed, and the
// folder flushed. Without commit() nothing stays behind. Not thread-safe.
class OutputFile {
public:
    // Throws Io, or NotFound if the folder does not exist.
    explicit OutputFile(std::filesystem::path path);
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    ~OutputFile();

    // Throws Io naming the file and the reason (disk full, for one).
    void write(std::span<const std::byte> bytes);
    void write(std::string_view text);

    // Makes the file visible, replacing an older one of this name. Throws Io.
    WrittenFile commit();

private:
    [[noreturn]] void fail(const char* action, int reason) const;

    std::filesystem::path m_path;
    std::filesystem::path m_temporaryPath;
    int m_descriptor = -1;
    uint64_t m_bytes = 0;
    Sha256 m_hash;
};

}  // namespace wb::core
