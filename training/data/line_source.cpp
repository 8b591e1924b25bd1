// SPDX-License-Identifier: Apache-2.0
#include "training/data/line_source.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace wb::training {
namespace {
constexpr size_t kBlockBytes = 256 * 1024;

// Length of the code point at the front, or 0 if there is none (RFC 3629: no overlong forms, no surrogates).
size_t codePointLength(std::string_view text) {
    const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return i < text.size() && at(i) >= low && at(i) <= high;
    };
    const unsigned lead = at(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF)
        return follows(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
    if (lead >= 0xF0 && lead <= 0xF4)
        return follows(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && follows(2) && follows(3) ? 4 : 0;
    return 0;
}
}  // namespace

std::optional<size_t> findInvalidUtf8(std::string_view text) {
    if (simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
    size_t position = 0;
    while (position < text.size()) {
        const size_t length = codePointLength(text.substr(position));
        if (length == 0) return position;
        position += length;
    }
    return std::nullopt;
}

LineSource::LineSource(std::unique_ptr<ByteStream> stream, int64_t maxLineBytes)
    : m_stream(std::move(stream)), m_maxLineBytes(static_cast<size_t>(std::max<int64_t>(maxLineBytes, 1))) {}

bool LineSource::fill() {
    m_block.resize(kBlockBytes);
    m_block.resize(m_stream->read(m_block.data(), kBlockBytes));
    m_position = 0;
    return !m_block.empty();
}

std::optional<SourceLine> LineSource::next() {
    m_line.clear();
    SourceLine line;
    bool isAtEnd = false;
    bool hasAny = false;
    while (!isAtEnd) {
        if (m_position == m_block.size() && !fill()) {
            if (!hasAny) return std::nullopt;
            break;
        }
        hasAny = true;
        const char* begin = m_block.data() + m_position;
        const size_t available = m_block.size() - m_position;
        const void* found = std::memchr(begin, '\n', available);
        const size_t count =
            found != nullptr ? static_cast<size_t>(static_cast<const char*>(found) - begin) : available;
        // One byte more than the limit is kept, so that a CR does not count.
        const size_t room = m_maxLineBytes + 1 - std::min(m_line.size(), m_maxLineBytes + 1);
        m_line.append(begin, std::min(room, count));
        line.bytes += static_cast<int64_t>(count);
        m_position += count + (found != nullptr ? 1 : 0);
        isAtEnd = found != nullptr;
    }
    if (static_cast<size_t>(line.bytes) == m_line.size() && !m_line.empty() && m_line.back() == '\r') {
        m_line.pop_back();
        --line.bytes;
    }
    line.isTooLong = static_cast<size_t>(line.bytes) > m_maxLineBytes;
    if (m_number == 0 && m_line.compare(0, 3, "\xEF\xBB\xBF") == 0) m_line.erase(0, 3);
    line.number = ++m_number;
    line.text = m_line;
    return line;
}

}  // namespace wb::training
