// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/aligned_text.h"

#include <algorithm>

namespace wb::core {

size_t AlignedText::runAt(size_t position) const {
    const auto next = std::ranges::upper_bound(m_runs, position, {}, &Run::begin);
    return static_cast<size_t>(next - m_runs.begin()) - 1;
}

size_t AlignedText::endOfRun(size_t run) const {
    return run + 1 < m_runs.size() ? m_runs[run + 1].begin : m_text.size();
}

// The source of [begin, end), which begins in `run` and is not empty.
ByteRange AlignedText::sourceFrom(size_t run, size_t begin, size_t end) const {
    ByteRange range{SIZE_MAX, 0};
    // Characters that composition reordered may come from bytes before their left neighbour's.
    for (size_t at = begin; at < end; ++run) {
        const Run& part = m_runs[run];
        const size_t partEnd = std::min(end, endOfRun(run));
        const bool isCopy = part.sourceBytes == kCopied;
        const size_t from = isCopy ? part.source + (at - part.begin) : part.source;
        const size_t to = isCopy ? from + (partEnd - at) : from + part.sourceBytes;
        range = {std::min(range.begin, from), std::max(range.end, to)};
        at = partEnd;
    }
    return range;
}

ByteRange AlignedText::sourceOf(size_t begin, size_t end) const {
    if (m_runs.empty()) return {m_offset + begin, m_offset + end};
    if (begin < end) return sourceFrom(runAt(begin), begin, end);
    if (m_text.empty()) return {m_runs.front().source, m_runs.front().source};
    const bool isAtEnd = begin == m_text.size();
    const ByteRange neighbour = isAtEnd ? sourceOf(begin - 1, begin) : sourceOf(begin, begin + 1);
    const size_t at = isAtEnd ? neighbour.end : neighbour.begin;
    return {at, at};
}

ByteRange AlignedText::Walk::sourceOf(size_t begin, size_t end) {
    if (m_text.m_runs.empty() || begin >= end) return m_text.sourceOf(begin, end);
    if (m_text.m_runs[m_run].begin > begin) m_run = m_text.runAt(begin);
    while (m_text.endOfRun(m_run) <= begin) ++m_run;
    return m_text.sourceFrom(m_run, begin, end);
}

AlignedText AlignedText::part(ByteRange range) const {
    AlignedText result(std::string_view(m_text).substr(range.begin, range.end - range.begin), m_offset + range.begin);
    if (m_runs.empty() || range.begin == range.end) {
        result.m_offset = sourceOf(range.begin, range.begin).begin;
        return result;
    }
    const auto first = static_cast<uint32_t>(range.begin);
    for (size_t run = runAt(range.begin); run < m_runs.size() && m_runs[run].begin < range.end; ++run) {
        Run copy = m_runs[run];
        const uint32_t cut = std::max(copy.begin, first) - copy.begin;
        if (copy.sourceBytes == kCopied) copy.source += cut;
        copy.begin = copy.begin + cut - first;
        result.m_runs.push_back(copy);
    }
    return result;
}

void AlignedTextBuilder::addRun(uint32_t source, uint32_t sourceBytes) {
    m_text.m_runs.push_back({static_cast<uint32_t>(position()), source, sourceBytes});
}

void AlignedTextBuilder::keep(size_t begin, size_t end) {
    if (begin >= end) return;
    const auto& runs = m_from.m_runs;
    if (runs.empty()) {
        addRun(static_cast<uint32_t>(m_from.m_offset + begin), AlignedText::kCopied);
    } else {
        const size_t at = position();
        for (size_t run = m_from.runAt(begin); run < runs.size() && runs[run].begin < end; ++run) {
            const size_t cut = std::max<size_t>(runs[run].begin, begin);
            const bool isCopy = runs[run].sourceBytes == AlignedText::kCopied;
            const auto source = static_cast<uint32_t>(runs[run].source + (isCopy ? cut - runs[run].begin : 0));
            m_text.m_runs.push_back({static_cast<uint32_t>(at + cut - begin), source, runs[run].sourceBytes});
        }
    }
    m_text.m_text.append(m_from.m_text, begin, end - begin);
}

void AlignedTextBuilder::replace(size_t begin, size_t end, std::string_view content) {
    if (content.empty()) return;
    const ByteRange source = begin < end ? m_walk.sourceOf(begin, end) : m_from.sourceOf(begin, end);
    addRun(static_cast<uint32_t>(source.begin), static_cast<uint32_t>(source.end - source.begin));
    m_text.m_text += content;
}

}  // namespace wb::core
