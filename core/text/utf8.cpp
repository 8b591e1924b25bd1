// SPDX-License-Identifier: Apache-2.0
#include "core/text/utf8.h"

namespace wb::core {
namespace {

struct Lead {
    size_t bytes;       // of the whole character, 0 for a byte that cannot lead
    uint8_t secondLow;  // range of the second byte: excludes overlong forms, surrogates, numbers past U+10FFFF
    uint8_t secondHigh;
    uint8_t payload;  // mask of the bits that belong to the number
};

Lead leadOf(uint8_t byte) {
    if (byte < 0x80) return {1, 0, 0, 0x7f};
    if (byte < 0xc2) return {0, 0, 0, 0};
    if (byte < 0xe0) return {2, 0x80, 0xbf, 0x1f};
    if (byte == 0xe0) return {3, 0xa0, 0xbf, 0x0f};
    if (byte == 0xed) return {3, 0x80, 0x9f, 0x0f};
    if (byte < 0xf0) return {3, 0x80, 0xbf, 0x0f};
    if (byte == 0xf0) return {4, 0x90, 0xbf, 0x07};
    if (byte < 0xf4) return {4, 0x80, 0xbf, 0x07};
    if (byte == 0xf4) return {4, 0x80, 0x8f, 0x07};
    return {0, 0, 0, 0};
}

}  // namespace

Utf8Step decodeUtf8(std::string_view text) {
    constexpr char32_t kInvalid = 0xfffd;
    const auto first = static_cast<uint8_t>(text.front());
    const Lead lead = leadOf(first);
    if (lead.bytes == 0) return {kInvalid, 1, false, false};
    char32_t codePoint = first & lead.payload;
    for (size_t i = 1; i < lead.bytes; ++i) {
        if (i == text.size()) return {kInvalid, i, false, true};
        const auto byte = static_cast<uint8_t>(text[i]);
        const uint8_t low = i == 1 ? lead.secondLow : 0x80;
        const uint8_t high = i == 1 ? lead.secondHigh : 0xbf;
        if (byte < low || byte > high) return {kInvalid, i, false, false};
        codePoint = (codePoint << 6) | (byte & 0x3fU);
    }
    return {codePoint, lead.bytes, true, false};
}

bool isValidUtf8(std::string_view text) {
    while (!text.empty()) {
        const Utf8Step step = decodeUtf8(text);
        if (!step.isValid) return false;
        text.remove_prefix(step.bytes);
    }
    return true;
}

std::string replaceInvalidUtf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const Utf8Step step = decodeUtf8(text);
        result += step.isValid ? text.substr(0, step.bytes) : kReplacementCharacter;
        text.remove_prefix(step.bytes);
    }
    return result;
}

void appendUtf8(std::string& text, char32_t codePoint) {
    const auto put = [&](char32_t bits) { text += static_cast<char>(static_cast<uint8_t>(bits)); };
    if (codePoint < 0x80) {
        put(codePoint);
    } else if (codePoint < 0x800) {
        put(0xc0 | (codePoint >> 6));
        put(0x80 | (codePoint & 0x3f));
    } else if (codePoint < 0x10000) {
        put(0xe0 | (codePoint >> 12));
        put(0x80 | ((codePoint >> 6) & 0x3f));
        put(0x80 | (codePoint & 0x3f));
    } else {
        put(0xf0 | (codePoint >> 18));
        put(0x80 | ((codePoint >> 12) & 0x3f));
        put(0x80 | ((codePoint >> 6) & 0x3f));
        put(0x80 | (codePoint & 0x3f));
    }
}

}  // namespace wb::core
