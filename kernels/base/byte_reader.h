// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace wb {

// Reads little-endian values from foreign bytes. Every read is checked against the end; running over it throws
// CorruptFile with the file's name, the offset and the number of bytes that were wanted. Borrows the bytes.
class ByteReader {
public:
    ByteReader(std::span<const std::byte> bytes, std::string_view sourceName)
        : m_bytes(bytes), m_sourceName(sourceName) {}

    size_t offset() const { return m_offset; }
    size_t remaining() const { return m_bytes.size() - m_offset; }
    const std::string& sourceName() const { return m_sourceName; }

    // Moves to an absolute offset, at most the end.
    void seek(size_t offset);

    // The next `count` bytes, still owned by the source.
    std::span<const std::byte> take(size_t count);

    template <class T>
    requires std::is_arithmetic_v<T> T read() {
        static_assert(std::endian::native == std::endian::little, "foreign files are little-endian");
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }

    // `count` bytes as text, without any check of their encoding.
    std::string readText(size_t count);

    // Throws CorruptFile "<source>: at byte <offset>: <what>".
    [[noreturn]] void fail(std::string_view what) const;

private:
    std::span<const std::byte> m_bytes;
    std::string m_sourceName;
    size_t m_offset = 0;
};

}  // namespace wb
