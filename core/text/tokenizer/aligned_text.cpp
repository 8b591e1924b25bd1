// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/aligned_text.h"

#include <algorithm>

namespace wb::core {

ByteRange AlignedText::sourceOf(size_t begin, size_t end) const {
    if (m_sources.empty()) return {m_offset + begin, m_offset + end};
    if (begin == end) {
        const size_t at = begin < m_sources.size() ? m_sources[begin].begin : m_sources.back().end;
        return {at, at};
    }
    // Characters that composition reordered may come from bytes before their left neighbour's.
    ByteRange range = m_sources[begin];
    for (size_t i = begin + 1; i < end; ++i) {
        range = {std::min(range.begin, m_sources[i].begin), std::max(range.end, m_sources[i].end)};
    }
    return range;
}

AlignedText AlignedText::part(ByteRange range) const {
    AlignedText result(std::string_view(m_text).substr(range.begin, range.end - range.begin), m_offset + range.begin);
    if (!m_sources.empty()) {
        const auto first = m_sources.begin();
        result.m_sources.assign(first + static_cast<std::ptrdiff_t>(range.begin),
                                first + static_cast<std::ptrdiff_t>(range.end));
    }
    return result;
}

void AlignedTextBuilder::keep(size_t begin, size_t end) {
    m_text.m_text.append(m_from.m_text, begin, end - begin);
    for (size_t i = begin; i < end; ++i) m_text.m_sources.push_back(m_from.sourceOf(i, i + 1));
}

void AlignedTextBuilder::replace(size_t begin, size_t end, std::string_view content) {
    const ByteRange source = m_from.m_text.empty() ? ByteRange{} : m_from.sourceOf(begin, end);
    m_text.m_text += content;
    m_text.m_sources.insert(m_text.m_sources.end(), content.size(), source);
}

}  // namespace wb::core
