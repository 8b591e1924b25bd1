// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/unicode_classes.h"

#include "core/text/tokenizer/unicode_additions.h"
#include "core/text/utf8.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <algorithm>
#include <array>

namespace wb::core {
namespace {

uint32_t categoryMask(char32_t c) {
    return U_GET_GC_MASK(static_cast<UChar32>(c));
}

// Whether a character was in these categories in a version of Unicode; the few that changed since are the caller's.
bool isOfVersion(char32_t c, uint8_t version, uint32_t categories) {
    if ((categoryMask(c) & categories) == 0) return false;
    UVersionInfo age{};
    u_charAge(static_cast<UChar32>(c), age);
    return age[0] < version || (age[0] == version && age[1] == 0);
}

bool isAsciiAlphanumeric(char32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

struct Interval {
    char32_t first;
    char32_t last;
};

// Capital letters of Unicode 16 and 17, which the library may not know; 0 for all others.
char32_t addedLowerCase(char32_t c) {
    if (c < 0x1C89) return 0;
    switch (c) {
        case 0x1C89:
        case 0xA7CC:
        case 0xA7CE:
        case 0xA7D2:
        case 0xA7D4:
        case 0xA7DA: return c + 1;
        case 0xA7CB: return 0x264;
        case 0xA7DC: return 0x19B;
        default: break;
    }
    if (c >= 0x10D50 && c <= 0x10D65) return c + 32;
    return c >= 0x16EA0 && c <= 0x16EB8 ? c + 27 : 0;
}

constexpr std::array kCjk{Interval{0x3400, 0x4DBF},   Interval{0x4E00, 0x9FFF},   Interval{0xF900, 0xFAFF},
                          Interval{0x20000, 0x2A6DF}, Interval{0x2A700, 0x2B73F}, Interval{0x2B740, 0x2B81F},
                          Interval{0x2B920, 0x2CEAF}, Interval{0x2F800, 0x2FA1F}};

}  // namespace

bool isWhiteSpace(char32_t c) {
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
    return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_WHITE_SPACE) != 0;
}

bool isPunctuation(char32_t c) {
    if (c < 0x80) return c > ' ' && c < 0x7f && !isAsciiAlphanumeric(c);
    return isOfVersion(c, 8, U_GC_P_MASK) || c == 0x166D || c == 0x111C9;
}

bool isNumeric(char32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    CharacterKind kind{};
    if (!findAddedCharacter(c, kind)) return (categoryMask(c) & U_GC_N_MASK) != 0;
    const bool isNewest = (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
    return (kind == CharacterKind::Nd || kind == CharacterKind::No) && !isNewest;
}

bool isWord(char32_t c) {
    if (c < 0x80) return isAsciiAlphanumeric(c) || c == '_';
    CharacterKind kind{};
    if (findAddedCharacter(c, kind)) return kind <= CharacterKind::Nd;
    return (categoryMask(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
           u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_ALPHABETIC) != 0 ||
           u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_JOIN_CONTROL) != 0;
}

bool isControl(char32_t c) {
    if (c == '\t' || c == '\n' || c == '\r') return false;
    if (c < 0x80) return c < ' ' || c == 0x7f;
    return isOfVersion(c, 8, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK);
}

bool isMark(char32_t c) {
    if (c < 0x80) return false;
    return (isOfVersion(c, 9, U_GC_M_MASK) && c != 0x111C9) || c == 0x1CF2 || c == 0x1CF3;
}

bool isNonSpacingMark(char32_t c) {
    if (c < 0x80) return false;
    const bool wasOther = c == 0x1885 || c == 0x1886 || c == 0xA9BD || c == 0x111C9;
    return (isOfVersion(c, 8, U_GC_MN_MASK) && !wasOther) || c == 0x1734;
}

bool isCjk(char32_t c) {
    return c >= 0x3400 && std::ranges::any_of(kCjk, [c](Interval i) { return c >= i.first && c <= i.last; });
}

void appendLowerCase(std::string& text, char32_t c) {
    if (c < 0x80) {
        text += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        return;
    }
    if (const char32_t added = addedLowerCase(c); added != 0) return appendUtf8(text, added);
    icu::UnicodeString lower(static_cast<UChar32>(c));
    lower.toLower(icu::Locale::getRoot());
    lower.toUTF8String(text);
}

namespace {

enum class Break : uint8_t { Other, Cr, Lf, Control, Extend, Zwj, Regional, Prepend, SpacingMark, L, V, T, Lv, Lvt };

Break breakOf(char32_t c) {
    if (c < 0x80)
        return c == '\r' ? Break::Cr : c == '\n' ? Break::Lf : c < ' ' || c == 0x7f ? Break::Control : Break::Other;
    switch (u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_GRAPHEME_CLUSTER_BREAK)) {
        case U_GCB_CONTROL: return Break::Control;
        case U_GCB_EXTEND: return Break::Extend;
        case U_GCB_ZWJ: return Break::Zwj;
        case U_GCB_REGIONAL_INDICATOR: return Break::Regional;
        case U_GCB_PREPEND: return Break::Prepend;
        case U_GCB_SPACING_MARK: return Break::SpacingMark;
        case U_GCB_L: return Break::L;
        case U_GCB_V: return Break::V;
        case U_GCB_T: return Break::T;
        case U_GCB_LV: return Break::Lv;
        case U_GCB_LVT: return Break::Lvt;
        default: return Break::Other;
    }
}

bool isPictograph(char32_t c) {
    return c >= 0x80 && u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EXTENDED_PICTOGRAPHIC) != 0;
}

bool isControlBreak(Break kind) {
    return kind == Break::Cr || kind == Break::Lf || kind == Break::Control;
}

// Syllables of Hangul hold together (rules GB6 to GB8 of UAX 29).
bool isHangulPair(Break left, Break right) {
    if (left == Break::L) return right == Break::L || right == Break::V || right == Break::Lv || right == Break::Lvt;
    if (left == Break::Lv || left == Break::V) return right == Break::V || right == Break::T;
    return (left == Break::Lvt || left == Break::T) && right == Break::T;
}

}  // namespace

// The rules of UAX 29 for extended grapheme clusters, from the front.
size_t graphemeBytes(std::string_view text) {
    Utf8Step step = decodeUtf8(text);
    Break left = breakOf(step.codePoint);
    size_t size = step.bytes;
    bool isPictographRun = isPictograph(step.codePoint);  // a pictograph and extending characters so far
    bool isAfterJoiner = false;                           // ... and then a zero-width joiner
    size_t numRegional = left == Break::Regional ? 1 : 0;
    while (size < text.size()) {
        step = decodeUtf8(text.substr(size));
        const Break right = breakOf(step.codePoint);
        const bool isGlued = (left == Break::Cr && right == Break::Lf) ||
                             (!isControlBreak(left) && !isControlBreak(right) &&
                              (isHangulPair(left, right) || right == Break::Extend || right == Break::Zwj ||
                               right == Break::SpacingMark || left == Break::Prepend ||
                               (isAfterJoiner && isPictograph(step.codePoint)) ||
                               (left == Break::Regional && right == Break::Regional && numRegional % 2 == 1)));
        if (!isGlued) break;
        isAfterJoiner = isPictographRun && right == Break::Zwj;
        isPictographRun = isPictograph(step.codePoint) || (isPictographRun && right == Break::Extend);
        numRegional = right == Break::Regional ? numRegional + 1 : 0;
        left = right;
        size += step.bytes;
    }
    return size;
}

}  // namespace wb::core
