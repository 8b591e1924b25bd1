// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/text.h"

#include <algorithm>
#include <utility>

namespace wb::core::jinja {

Text::Text(std::string bytes, Origin origin) : m_bytes(std::move(bytes)) {
    if (!m_bytes.empty()) m_runs.push_back({m_bytes.size(), origin});
}

Origin Text::originAt(size_t position) const {
    const auto run = std::upper_bound(m_runs.begin(), m_runs.end(), position,
                                      [](size_t value, const Run& candidate) { return value < candidate.end; });
    return run == m_runs.end() ? Origin{} : run->origin;
}

void Text::extendLastRun(size_t end, Origin origin) {
    if (!m_runs.empty() && m_runs.back().origin == origin) {
        m_runs.back().end = end;
    } else {
        m_runs.push_back({end, origin});
    }
}

void Text::append(std::string_view bytes, Origin origin) {
    if (bytes.empty()) return;
    m_bytes.append(bytes);
    extendLastRun(m_bytes.size(), origin);
}

void Text::append(const Text& other, size_t begin, size_t end) {
    if (begin >= end) return;
    const size_t shift = m_bytes.size();
    m_bytes.append(other.m_bytes, begin, end - begin);
    auto run = std::upper_bound(other.m_runs.begin(), other.m_runs.end(), begin,
                                [](size_t value, const Run& candidate) { return value < candidate.end; });
    for (; run != other.m_runs.end(); ++run) {
        extendLastRun(shift + std::min(run->end, end) - begin, run->origin);
        if (run->end >= end) break;
    }
}

Text Text::slice(size_t begin, size_t end) const {
    Text out;
    out.append(*this, begin, std::min(end, size()));
    return out;
}

void Text::markGenerated(size_t begin) {
    std::vector<Run> marked;
    std::swap(marked, m_runs);
    size_t start = 0;
    for (const Run& run : marked) {
        const size_t untouched = std::min(run.end, begin);
        if (start < untouched) extendLastRun(untouched, run.origin);
        if (run.end > begin) {
            Origin origin = run.origin;
            origin.isGenerated = true;
            extendLastRun(run.end, origin);
        }
        start = run.end;
    }
}

}  // namespace wb::core::jinja
