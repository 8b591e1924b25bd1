// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "training/data/byte_stream.h"

namespace wb::training {

struct SourceLine {
    int64_t number = 0;      // from 1
    std::string_view text;   // without line end; valid until the next call
    int64_t bytes = 0;       // of the whole line, also when it is too long
    bool isTooLong = false;  // over the limit: `text` holds only the beginning
};

// Lines of a stream. Ends are LF or CR LF; a byte order mark is taken off; a last line needs no end. Memory use is
// bounded by the limit, however long a line is. One thread at a time.
class LineSource {
public:
    LineSource(std::unique_ptr<ByteStream> stream, int64_t maxLineBytes);

    // The next line, or nothing at the end. Throws what the stream throws.
    std::optional<SourceLine> next();

private:
    bool fill();

    std::unique_ptr<ByteStream> m_stream;
    size_t m_maxLineBytes;
    std::string m_block;
    size_t m_position = 0;
    std::string m_line;
    int64_t m_number = 0;
};

// Offset of the first byte that is not part of a UTF-8 code point, or nothing if all of it is UTF-8.
std::optional<size_t> findInvalidUtf8(std::string_view text);

}  // namespace wb::training
