// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/unicode.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace wb::core::jinja {
namespace {

// Full case mapping of valid UTF-8; other bytes pass through, as does everything between them.
std::string mapBytes(std::string_view bytes, Case target) {
    std::string out;
    size_t begin = 0;
    const auto flush = [&](size_t end) {
        if (begin == end) return;
        auto text =
            icu::UnicodeString::fromUTF8(icu::StringPiece(bytes.data() + begin, static_cast<int32_t>(end - begin)));
        if (target == Case::Lower) {
            text.toLower(icu::Locale::getRoot());
        } else if (target == Case::Upper) {
            text.toUpper(icu::Locale::getRoot());
        } else if (target == Case::Fold) {
            text.foldCase();
        } else {
            text.toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_LOWERCASE | U_TITLECASE_NO_BREAK_ADJUSTMENT);
        }
        text.toUTF8String(out);
    };
    size_t position = 0;
    while (position < bytes.size()) {
        const CodePoint point = codePointAt(bytes, position);
        if (point.value < 0) {
            flush(position);
            out.push_back(bytes[position]);
            begin = position + 1;
        }
        position += point.length;
    }
    flush(bytes.size());
    return out;
}

void appendMapped(Text& out, const Text& text, size_t begin, size_t end, Case target) {
    size_t position = begin;
    for (const Text::Run& run : text.runs()) {
        if (run.end <= position) continue;
        const size_t stop = std::min(run.end, end);
        if (position >= stop) break;
        out.append(mapBytes(std::string_view{text.bytes()}.substr(position, stop - position), target), run.origin);
        position = stop;
    }
}

}  // namespace

CodePoint codePointAt(std::string_view bytes, size_t position) {
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    // Four bytes suffice for one code point and keep the lengths inside ICU's 32 bits.
    const auto available = static_cast<int32_t>(std::min<size_t>(bytes.size() - position, 4));
    int32_t length = 0;
    UChar32 value = -1;
    U8_NEXT(data + position, length, available, value);
    if (value < 0) return {-1, 1};
    return {value, static_cast<size_t>(length)};
}

size_t codePointCount(std::string_view bytes) {
    size_t count = 0;
    for (size_t position = 0; position < bytes.size(); position += codePointAt(bytes, position).length) ++count;
    return count;
}

std::vector<size_t> codePointStarts(std::string_view bytes) {
    std::vector<size_t> starts;
    for (size_t position = 0; position < bytes.size(); position += codePointAt(bytes, position).length)
        starts.push_back(position);
    starts.push_back(bytes.size());
    return starts;
}

void appendUtf8(std::string& out, uint32_t codePoint) {
    uint8_t bytes[4];
    int32_t length = 0;
    UBool isError = false;
    U8_APPEND(bytes, length, 4, static_cast<UChar32>(codePoint), isError);
    if (isError) {
        out += "\xEF\xBF\xBD";
    } else {
        out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
    }
}

bool isSpace(int32_t codePoint) {
    if (codePoint < 0) return false;
    if (codePoint < 128)
        return codePoint == ' ' || (codePoint >= 9 && codePoint <= 13) || (codePoint >= 0x1C && codePoint <= 0x1F);
    return codePoint == 0x85 || u_charType(codePoint) == U_SPACE_SEPARATOR || codePoint == 0x2028 ||
           codePoint == 0x2029;
}

bool isCased(int32_t codePoint) {
    return codePoint >= 0 && u_hasBinaryProperty(codePoint, UCHAR_CASED);
}

bool isAlphabetic(int32_t codePoint) {
    return codePoint >= 0 && u_isalpha(codePoint);
}

bool isUpper(int32_t codePoint) {
    return codePoint >= 0 && u_isUUppercase(codePoint);
}

bool isLower(int32_t codePoint) {
    return codePoint >= 0 && u_isULowercase(codePoint);
}

bool isTitle(int32_t codePoint) {
    return codePoint >= 0 && u_charType(codePoint) == U_TITLECASE_LETTER;
}

bool isDecimal(int32_t codePoint) {
    return codePoint >= 0 && u_isdigit(codePoint);
}

bool isDigit(int32_t codePoint) {
    const int32_t type = codePoint < 0 ? U_NT_NONE : u_getIntPropertyValue(codePoint, UCHAR_NUMERIC_TYPE);
    return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}

bool isNumeric(int32_t codePoint) {
    return codePoint >= 0 && u_getIntPropertyValue(codePoint, UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

size_t leadingSpace(std::string_view bytes) {
    size_t position = 0;
    while (position < bytes.size()) {
        const CodePoint point = codePointAt(bytes, position);
        if (!isSpace(point.value)) break;
        position += point.length;
    }
    return position;
}

size_t trailingSpace(std::string_view bytes) {
    size_t end = bytes.size();
    while (end > 0) {
        size_t begin = end - 1;
        // Continuation bytes belong to the code point before them; at most three.
        while (begin > 0 && end - begin < 4 && (static_cast<uint8_t>(bytes[begin]) & 0xC0) == 0x80) --begin;
        const CodePoint point = codePointAt(bytes.substr(0, end), begin);
        if (begin + point.length != end || !isSpace(point.value)) break;
        end = begin;
    }
    return bytes.size() - end;
}

Text mapCase(const Text& text, Case target) {
    Text out;
    appendMapped(out, text, 0, text.size(), target);
    return out;
}

Text capitalize(const Text& text) {
    Text out;
    if (text.empty()) return out;
    const size_t first = codePointAt(text.bytes(), 0).length;
    appendMapped(out, text, 0, first, Case::Title);
    appendMapped(out, text, first, text.size(), Case::Lower);
    return out;
}

Text titleCase(const Text& text) {
    Text out;
    bool isInsideWord = false;
    for (size_t position = 0; position < text.size();) {
        const CodePoint point = codePointAt(text.bytes(), position);
        appendMapped(out, text, position, position + point.length, isInsideWord ? Case::Lower : Case::Title);
        isInsideWord = isCased(point.value);
        position += point.length;
    }
    return out;
}

}  // namespace wb::core::jinja
