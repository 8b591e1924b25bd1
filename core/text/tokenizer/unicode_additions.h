// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wb::core {

// General categories as far as they matter here: No stands for all numbers but digits.
enum class CharacterKind : uint8_t { Lu, Ll, Lt, Lm, Lo, M, Nd, No, P, S };

struct AddedCharacters {
    char32_t first;
    char32_t last;
    CharacterKind kind;
};

// Characters of Unicode 15 to 17. The reference tokenizers know them, the Unicode and pattern libraries of the baseline
// system do not know them all.
std::span<const AddedCharacters> addedCharacters();

// The kind of such a character; false if it is an older one.
bool findAddedCharacter(char32_t c, CharacterKind& kind);

// The ranges of a category ("L", "Lu", "Nd", ...) for a bracket of a pattern: "\\x{1c89}-\\x{1c8a}...".
std::string addedRanges(std::string_view category);

}  // namespace wb::core
