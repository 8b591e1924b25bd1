// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wb::core {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

struct Utf8Step {
    char32_t codePoint = 0;  // U+FFFD if the bytes are not valid
    size_t bytes = 0;        // consumed: of a valid character, or of the longest prefix of one that the bytes still are
    bool isValid = false;
    bool isIncomplete = false;  // not valid only because the text ends: more bytes could make it a character
};

// Decodes at the front of a text that is not empty. Surrogates, overlong forms and numbers past U+10FFFF are invalid.
Utf8Step decodeUtf8(std::string_view text);

bool isValidUtf8(std::string_view text);

// Every longest prefix of a character that is cut short, and every other stray byte, becomes one U+FFFD (the practice
// the Unicode standard recommends, and what Python and Rust do).
std::string replaceInvalidUtf8(std::string_view text);

void appendUtf8(std::string& text, char32_t codePoint);

}  // namespace wb::core
