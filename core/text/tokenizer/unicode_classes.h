// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wb::core {

// Classes of characters as the reference tokenizers mean them: some of its tables stand still at an old version of
// Unicode, and the same character must be cut the same way here.
bool isWhiteSpace(char32_t c);      // Unicode White_Space
bool isPunctuation(char32_t c);     // category P of Unicode 8, and the signs and symbols of ASCII
bool isNumeric(char32_t c);         // category N of Unicode 16
bool isWord(char32_t c);            // alphabetic, marks, digits, connectors and joiners
bool isControl(char32_t c);         // Cc, Cf and Co of Unicode 8, without tab and line ends
bool isMark(char32_t c);            // category M of Unicode 9
bool isNonSpacingMark(char32_t c);  // category Mn of Unicode 8
bool isCjk(char32_t c);             // the ideographs that BERT sets apart

// One character in lower case by itself: the final-sigma rule of whole words is no part of it.
void appendLowerCase(std::string& text, char32_t c);

// The number of bytes of the first grapheme cluster of valid UTF-8 that is not empty.
size_t graphemeBytes(std::string_view text);

}  // namespace wb::core
