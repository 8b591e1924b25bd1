// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace wb::training {

// Bytes of a file in order, unpacked. One thread at a time.
class ByteStream {
public:
    virtual ~ByteStream() = default;

    // Up to `capacity` bytes; 0 only at the end. Throws Io, or CorruptFile for a broken or cut archive.
    virtual size_t read(char* out, size_t capacity) = 0;
};

// Opens a plain, gzip or zstd file; the first bytes decide, not the name.
// Throws NotFound, Io, or InvalidArgument for a folder or a file in UTF-16.
std::unique_ptr<ByteStream> openByteStream(const std::filesystem::path& path);

// The whole unpacked file without a UTF-8 byte order mark.
// Throws as openByteStream, and InvalidArgument if it unpacks to more than maxBytes.
std::string readWholeFile(const std::filesystem::path& path, int64_t maxBytes);

// The name's extension without .gz or .zst, in lower case: ".jsonl" for "Data.JSONL.gz".
std::string innerExtension(const std::filesystem::path& path);

}  // namespace wb::training
