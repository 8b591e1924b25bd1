// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// A text that was changed on its way (normalised, prefixed), and for each of its bytes where it came from. Texts are
// at most 1 GiB long: positions are kept in 32 bits.
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

    // sourceOf() for ranges asked for from front to back, without a search for each. Borrows the text.
    class Walk {
    public:
        explicit Walk(const AlignedText& text) : m_text(text) {}
        ByteRange sourceOf(size_t begin, size_t end);

    private:
        const AlignedText& m_text;
        size_t m_run = 0;
    };

private:
    friend class AlignedTextBuilder;

    // Bytes from `begin` up to the next run: copied one by one from `source` on, or all standing for the same bytes.
    struct Run {
        uint32_t begin = 0;
        uint32_t source = 0;
        uint32_t sourceBytes = kCopied;
    };
    static constexpr uint32_t kCopied = UINT32_MAX;

    size_t runAt(size_t position) const;
    size_t endOfRun(size_t run) const;
    ByteRange sourceFrom(size_t run, size_t begin, size_t end) const;

    std::string m_text;
    size_t m_offset = 0;
    std::vector<Run> m_runs;  // in order, the first at 0; empty while the text is unchanged
};

// Makes a changed copy of a text, front to back.
class AlignedTextBuilder {
public:
    explicit AlignedTextBuilder(const AlignedText& from) : m_from(from), m_walk(from) {
        m_text.m_text.reserve(from.text().size() + from.text().size() / 8);
    }

    // Copies the bytes [begin, end).
    void keep(size_t begin, size_t end);
    // Puts `content` in place of the bytes [begin, end); with begin == end it stands for no input.
    void replace(size_t begin, size_t end, std::string_view content);
    // Where the next byte will stand.
    size_t position() const { return m_text.m_text.size(); }
    AlignedText finish() { return std::move(m_text); }

private:
    void addRun(uint32_t source, uint32_t sourceBytes);

    const AlignedText& m_from;
    AlignedText::Walk m_walk;
    AlignedText m_text;
};

}  // namespace wb::core
