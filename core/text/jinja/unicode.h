// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/jinja/text.h"

// Texts as Python sees them: sequences of code points. A byte that is not valid UTF-8 counts as one code point.
namespace wb::core::jinja {

struct CodePoint {
    int32_t value = -1;  // -1 for a byte that is not valid UTF-8
    size_t length = 1;   // bytes
};

CodePoint codePointAt(std::string_view bytes, size_t position);
size_t codePointCount(std::string_view bytes);
// Byte position of each code point, and the size at the end.
std::vector<size_t> codePointStarts(std::string_view bytes);
void appendUtf8(std::string& out, uint32_t codePoint);

bool isSpace(int32_t codePoint);  // Python's str.isspace
bool isCased(int32_t codePoint);
bool isUpper(int32_t codePoint);
bool isLower(int32_t codePoint);
bool isTitle(int32_t codePoint);  // a capital with a small letter in one character
bool isAlphabetic(int32_t codePoint);
// Each includes the one before: digits of a decimal system; digits as superscripts; fractions and numerals.
bool isDecimal(int32_t codePoint);
bool isDigit(int32_t codePoint);
bool isNumeric(int32_t codePoint);

// Bytes to cut at the front and the back so that no white space is left there.
size_t leadingSpace(std::string_view bytes);
size_t trailingSpace(std::string_view bytes);

enum class Case { Upper, Lower, Title, Fold };
// Maps each run of equal origin on its own, so that origins stay exact where the length changes.
Text mapCase(const Text& text, Case target);
// First character upper (str.capitalize), or the first of each word (str.title); the rest lower.
Text capitalize(const Text& text);
Text titleCase(const Text& text);

}  // namespace wb::core::jinja
