// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/byte_reader.h"

#include "kernels/base/error.h"

#include <fmt/format.h>

namespace wb {

void ByteReader::seek(size_t offset) {
    if (offset > m_bytes.size()) {
        fail(fmt::format("offset {} lies past the end ({} bytes)", offset, m_bytes.size()));
    }
    m_offset = offset;
}

std::span<const std::byte> ByteReader::take(size_t count) {
    if (count > remaining()) {
        fail(fmt::format("{} bytes wanted, {} left; the file is truncated or damaged", count, remaining()));
    }
    const auto bytes = m_bytes.subspan(m_offset, count);
    m_offset += count;
    return bytes;
}

std::string ByteReader::readText(size_t count) {
    const auto bytes = take(count);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void ByteReader::fail(std::string_view what) const {
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: at byte {}: {}", m_sourceName, m_offset, what)};
}

}  // namespace wb
