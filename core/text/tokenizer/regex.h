// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/text/tokenizer.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// A compiled Unicode pattern (PCRE2 with its just-in-time compiler), read as Oniguruma reads it: \s, \w and their
// negations mean the Unicode properties, ^ and $ stand at every line. Thread-safe after construction.
class Regex {
public:
    // Throws Unsupported with the position and the compiler's words if the pattern is not understood.
    Regex(std::string_view pattern, std::string_view sourceName);
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;
    ~Regex();

    // All non-empty matches in valid UTF-8, from left to right.
    // Throws InvalidArgument if the pattern needs more steps than any real one does.
    std::vector<ByteRange> findAll(std::string_view text) const;
    // The same, put behind what `matches` holds.
    void findAll(std::string_view text, std::vector<ByteRange>& matches) const;

    // A pattern that matches exactly this text.
    static std::string escape(std::string_view text);

private:
    struct Code;
    std::unique_ptr<Code> m_code;
};

}  // namespace wb::core
