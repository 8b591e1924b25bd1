// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/byte_alphabet.h"

#include "core/text/utf8.h"

#include <fmt/format.h>
#include <array>

namespace wb::core {
namespace {

constexpr bool isPrintable(unsigned byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr size_t kNumCharacters = 0x100 + 68;

struct Alphabet {
    std::array<char32_t, 256> ofByte{};
    std::array<int16_t, kNumCharacters> ofCharacter{};  // -1: stands for no byte
};

constexpr Alphabet makeAlphabet() {
    Alphabet alphabet;
    alphabet.ofCharacter.fill(-1);
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
        alphabet.ofByte[byte] = isPrintable(byte) ? byte : next++;
        alphabet.ofCharacter[alphabet.ofByte[byte]] = static_cast<int16_t>(byte);
    }
    return alphabet;
}

constexpr Alphabet kAlphabet = makeAlphabet();
static_assert(kAlphabet.ofByte[' '] == 0x120);

}  // namespace

char32_t alphabetCharacter(uint8_t byte) {
    return kAlphabet.ofByte[byte];
}

std::optional<std::string> alphabetBytes(std::string_view token) {
    std::string bytes;
    while (!token.empty()) {
        const Utf8Step step = decodeUtf8(token);
        if (!step.isValid || step.codePoint >= kNumCharacters || kAlphabet.ofCharacter[step.codePoint] < 0)
            return std::nullopt;
        bytes += static_cast<char>(static_cast<uint8_t>(kAlphabet.ofCharacter[step.codePoint]));
        token.remove_prefix(step.bytes);
    }
    return bytes;
}

std::optional<uint8_t> byteOfName(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
    unsigned value = 0;
    for (const char c : token.substr(3, 2)) {
        const bool isDigit = c >= '0' && c <= '9';
        if (!isDigit && (c < 'A' || c > 'F')) return std::nullopt;
        value = value * 16 + static_cast<unsigned>(isDigit ? c - '0' : c - 'A' + 10);
    }
    return static_cast<uint8_t>(value);
}

std::string nameOfByte(uint8_t byte) {
    return fmt::format("<0x{:02X}>", byte);
}

}  // namespace wb::core
