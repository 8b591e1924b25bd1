// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wb::core {

// Byte-level vocabularies write each byte as one printable character: printable ones of Latin-1 as themselves, the
// other 68 as U+0100 and following (a space is "Ġ").

// The character of a byte.
char32_t alphabetCharacter(uint8_t byte);

// The bytes a token of such a vocabulary stands for; nothing if it holds a character that stands for none.
std::optional<std::string> alphabetBytes(std::string_view token);

// "<0x0A>" -> 0x0A; nothing for any other name.
std::optional<uint8_t> byteOfName(std::string_view token);
// 0x0A -> "<0x0A>".
std::string nameOfByte(uint8_t byte);

}  // namespace wb::core
