// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// A text that was changed on its way (normalised, prefixed), and for each of its bytes where it came from.
class AlignedText {
public:
    AlignedText() = default;
    // An unchanged text that begins at `offset` of the input.
    AlignedText(std::string_view text, size_t offset) : m_text(text), m_offset(offset) {}

    const std::string& text() const { return m_text; }
    // The bytes of the input that the bytes [begin, end) of this text stand for; empty for what was put in.
    ByteRange sourceOf(size_t begin, size_t end) const;
    // The same for a part.
    AlignedText part(ByteRange range) const;

private:
    friend class AlignedTextBuilder;

    std::string m_text;
    size_t m_offset = 0;
    std::vector<ByteRange> m_sources;  // per byte; empty while the text is unchanged
};

// Makes a changed copy of a text, front to back.
class AlignedTextBuilder {
public:
    explicit AlignedTextBuilder(const AlignedText& from) : m_from(from) {}

    // Copies the bytes [begin, end).
    void keep(size_t begin, size_t end);
    // Puts `content` in place of the bytes [begin, end); with begin == end it stands for no input.
    void replace(size_t begin, size_t end, std::string_view content);
    // Where the next byte will stand.
    size_t position() const { return m_text.m_text.size(); }
    AlignedText finish() { return std::move(m_text); }

private:
    const AlignedText& m_from;
    AlignedText m_text;
};

}  // namespace wb::core
