// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"

namespace wb::core::jinja {

// Where a byte of text came from.
struct Origin {
    SpanKind kind = SpanKind::Template;
    int message = -1;
    bool isGenerated = false;  // written inside {% generation %}

    bool operator==(const Origin&) const = default;
};

// Bytes with the origin of each. Operations that move bytes around keep their origins, which is what makes the spans of
// a rendered chat exact after trim, replace or concatenation.
class Text {
public:
    struct Run {
        size_t end = 0;  // one past the run's last byte; the run starts where the one before ends
        Origin origin;
    };

    Text() = default;
    explicit Text(std::string bytes, Origin origin = {});

    const std::string& bytes() const { return m_bytes; }
    const std::vector<Run>& runs() const { return m_runs; }
    size_t size() const { return m_bytes.size(); }
    bool empty() const { return m_bytes.empty(); }

    Origin originAt(size_t position) const;  // the template's origin if position is past the end

    void append(std::string_view bytes, Origin origin = {});
    void append(const Text& other) { append(other, 0, other.size()); }
    void append(const Text& other, size_t begin, size_t end);
    Text slice(size_t begin, size_t end) const;

    // Marks every byte from `begin` on as generated.
    void markGenerated(size_t begin);

private:
    void extendLastRun(size_t end, Origin origin);

    std::string m_bytes;
    std::vector<Run> m_runs;
};

using TextPtr = std::shared_ptr<const Text>;

}  // namespace wb::core::jinja
