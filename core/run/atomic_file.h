// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace wb::core {

// Puts `bytes` into `file` so that a reader or a crash sees the old content or the new one, never a part: temporary
// file in the same folder, fsync, rename, fsync of the folder. Throws Io with the file and the system's reason.
void writeFileAtomically(const std::filesystem::path& file, std::string_view bytes);

// The whole file. Throws NotFound, Io, or InvalidArgument if it is longer than `maxBytes`.
std::string readWholeFile(const std::filesystem::path& file, size_t maxBytes = size_t{1} << 30);

// Waits until the file's bytes, or a folder's names, are on the disk. Throws Io.
void syncFile(const std::filesystem::path& file);
void syncFolder(const std::filesystem::path& folder);

// "<what> <path>: <reason of errno>"; throws ErrorCode::Io (NotFound for ENOENT).
[[noreturn]] void throwSystemError(std::string_view what, const std::filesystem::path& path, int errorNumber);

}  // namespace wb::core
