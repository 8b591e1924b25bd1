// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/normalizers.h"

#include "core/text/tokenizer/byte_alphabet.h"
#include "core/text/tokenizer/unicode_classes.h"
#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>
#include <algorithm>
#include <array>
#include <memory>

namespace wb::core {
namespace {

const icu::Normalizer2* libraryForm(NormalizerStep::Kind kind, UErrorCode& status) {
    switch (kind) {
        case NormalizerStep::Kind::Nfd: return icu::Normalizer2::getNFDInstance(status);
        case NormalizerStep::Kind::Nfkc: return icu::Normalizer2::getNFKCInstance(status);
        case NormalizerStep::Kind::Nfkd: return icu::Normalizer2::getNFKDInstance(status);
        default: return icu::Normalizer2::getNFCInstance(status);
    }
}

// The reference normalises by Unicode 9: newer characters stay as and where they are.
const icu::FilteredNormalizer2& unicodeForm(NormalizerStep::Kind kind) {
    struct Forms {
        Forms() : characters(UNICODE_STRING_SIMPLE("[:age=9.0:]"), status) {
            characters.freeze();
            using Kind = NormalizerStep::Kind;
            for (const Kind each : {Kind::Nfc, Kind::Nfd, Kind::Nfkc, Kind::Nfkd}) {
                const icu::Normalizer2* form = libraryForm(each, status);
                if (U_SUCCESS(status))
                    forms[static_cast<size_t>(each)] = std::make_unique<icu::FilteredNormalizer2>(*form, characters);
            }
        }
        UErrorCode status = U_ZERO_ERROR;
        icu::UnicodeSet characters;
        std::array<std::unique_ptr<icu::FilteredNormalizer2>, 4> forms;
    };
    static const Forms kForms;
    if (U_FAILURE(kForms.status)) {
        throw Error{ErrorCode::Internal,
                    fmt::format("the ICU library has no normalisation data: {}", u_errorName(kForms.status))};
    }
    return *kForms.forms[static_cast<size_t>(kind)];
}

icu::StringPiece pieceOf(std::string_view text) {
    return {text.data(), static_cast<int32_t>(text.size())};
}

std::string normalizedForm(const icu::Normalizer2& form, std::string_view text) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::UnicodeString normalized = form.normalize(icu::UnicodeString::fromUTF8(pieceOf(text)), status);
    if (U_FAILURE(status)) {
        throw Error{ErrorCode::Internal, fmt::format("Unicode normalisation failed: {}", u_errorName(status))};
    }
    std::string result;
    normalized.toUTF8String(result);
    return result;
}

bool isAscii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

// Works from boundary to boundary, so that what did not change keeps its alignment byte by byte.
AlignedText toUnicodeForm(NormalizerStep::Kind kind, const AlignedText& from) {
    const std::string_view text = from.text();
    if (isAscii(text)) return from;
    const icu::Normalizer2& form = unicodeForm(kind);
    AlignedTextBuilder builder(from);
    size_t kept = 0;  // what is unchanged is copied in long runs
    size_t begin = 0;
    while (begin < text.size()) {
        size_t end = begin + decodeUtf8(text.substr(begin)).bytes;
        while (end < text.size()) {
            const Utf8Step step = decodeUtf8(text.substr(end));
            if (form.hasBoundaryBefore(static_cast<UChar32>(step.codePoint)) != 0) break;
            end += step.bytes;
        }
        const std::string_view run = text.substr(begin, end - begin);
        if (!isAscii(run)) {
            const std::string normalized = normalizedForm(form, run);
            if (normalized != run) {
                builder.keep(kept, begin);
                builder.replace(begin, end, normalized);
                kept = end;
            }
        }
        begin = end;
    }
    if (kept == 0) return from;
    builder.keep(kept, text.size());
    return builder.finish();
}

// Replaces each character by what change(character, codePoint, out) appends to `out`.
template <class Change>
AlignedText mapCharacters(const AlignedText& from, const Change& change) {
    const std::string_view text = from.text();
    AlignedTextBuilder builder(from);
    std::string changed;
    size_t kept = 0;
    for (size_t begin = 0; begin < text.size();) {
        const Utf8Step step = decodeUtf8(text.substr(begin));
        const std::string_view character = text.substr(begin, step.bytes);
        changed.clear();
        change(character, step.codePoint, changed);
        if (changed != character) {
            builder.keep(kept, begin);
            builder.replace(begin, begin + step.bytes, changed);
            kept = begin + step.bytes;
        }
        begin += step.bytes;
    }
    if (kept == 0) return from;
    builder.keep(kept, text.size());
    return builder.finish();
}

template <class IsDropped>
AlignedText dropCharacters(const AlignedText& from, const IsDropped& isDropped) {
    return mapCharacters(from, [&](std::string_view character, char32_t c, std::string& out) {
        if (!isDropped(c)) out += character;
    });
}

void cleanNmt(std::string_view character, char32_t c, std::string& out) {
    const bool isDropped =
        (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    const bool isSpace = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
                         c == 0xFFFD;
    if (isSpace)
        out += ' ';
    else if (!isDropped)
        out += character;
}

void cleanBert(std::string_view character, char32_t c, std::string& out) {
    if (c == 0 || c == 0xFFFD || isControl(c)) return;
    if (isWhiteSpace(c))
        out += ' ';
    else
        out += character;
}

void padCjk(std::string_view character, char32_t c, std::string& out) {
    if (isCjk(c))
        out.append(" ").append(character).append(" ");
    else
        out += character;
}

// A short cluster is looked up as a whole first, then character by character; the map answers for the shortest key.
AlignedText applyMap(const CharacterMap& map, const AlignedText& from) {
    constexpr size_t kMaxClusterBytes = 6;
    const std::string_view text = from.text();
    AlignedTextBuilder builder(from);
    size_t kept = 0;
    const auto tryReplace = [&](size_t begin, size_t size) {
        const auto replacement = map.find(text.substr(begin, size));
        if (!replacement) return false;
        builder.keep(kept, begin);
        builder.replace(begin, begin + size, *replacement);
        kept = begin + size;
        return true;
    };
    for (size_t begin = 0; begin < text.size();) {
        const size_t size = graphemeBytes(text.substr(begin));
        if (size >= kMaxClusterBytes || !tryReplace(begin, size)) {
            for (size_t at = begin; at < begin + size;) {
                const size_t bytes = decodeUtf8(text.substr(at)).bytes;
                tryReplace(at, bytes);
                at += bytes;
            }
        }
        begin += size;
    }
    if (kept == 0) return from;
    builder.keep(kept, text.size());
    return builder.finish();
}

AlignedText strip(const NormalizerStep& step, const AlignedText& from) {
    const std::string_view text = from.text();
    size_t firstKept = text.size();
    size_t keptEnd = 0;
    for (size_t begin = 0; begin < text.size();) {
        const Utf8Step character = decodeUtf8(text.substr(begin));
        if (!isWhiteSpace(character.codePoint)) {
            firstKept = std::min(firstKept, begin);
            keptEnd = begin + character.bytes;
        }
        begin += character.bytes;
    }
    const size_t begin = step.stripsLeft ? firstKept : 0;
    const size_t end = step.stripsRight ? keptEnd : text.size();
    return begin < end ? from.part({begin, end}) : AlignedText();
}

AlignedText replaceAll(const NormalizerStep& step, const AlignedText& from) {
    const std::vector<ByteRange> matches = step.pattern->findAll(from.text());
    if (matches.empty()) return from;
    AlignedTextBuilder builder(from);
    size_t position = 0;
    for (const ByteRange& match : matches) {
        builder.keep(position, match.begin);
        builder.replace(match.begin, match.end, step.content);
        position = match.end;
    }
    builder.keep(position, from.text().size());
    return builder.finish();
}

AlignedText prepend(const NormalizerStep& step, const AlignedText& from) {
    if (from.text().empty()) return from;
    AlignedTextBuilder builder(from);
    builder.replace(0, 0, step.content);
    builder.keep(0, from.text().size());
    return builder.finish();
}

AlignedText applyStep(const NormalizerStep& step, const AlignedText& text) {
    using Kind = NormalizerStep::Kind;
    switch (step.kind) {
        case Kind::Nfc:
        case Kind::Nfd:
        case Kind::Nfkc:
        case Kind::Nfkd: return toUnicodeForm(step.kind, text);
        case Kind::Lowercase:
            return mapCharacters(text, [](std::string_view, char32_t c, std::string& out) { appendLowerCase(out, c); });
        case Kind::StripAccents: return dropCharacters(text, isMark);
        case Kind::StripNonSpacingMarks: return dropCharacters(text, isNonSpacingMark);
        case Kind::Strip: return strip(step, text);
        case Kind::Replace: return replaceAll(step, text);
        case Kind::Prepend: return prepend(step, text);
        case Kind::CleanNmt: return mapCharacters(text, cleanNmt);
        case Kind::CleanBert: return mapCharacters(text, cleanBert);
        case Kind::PadCjk: return mapCharacters(text, padCjk);
        case Kind::Precompiled: return applyMap(*step.characterMap, text);
        case Kind::ByteAlphabet: return toByteAlphabet(text);
    }
    return text;
}

}  // namespace

AlignedText normalize(const std::vector<NormalizerStep>& steps, AlignedText text) {
    for (const NormalizerStep& step : steps) text = applyStep(step, text);
    return text;
}

AlignedText toByteAlphabet(const AlignedText& text) {
    AlignedTextBuilder builder(text);
    std::string character;
    for (size_t at = 0; at < text.text().size(); ++at) {
        const auto byte = static_cast<uint8_t>(text.text()[at]);
        character.clear();
        appendUtf8(character, alphabetCharacter(byte));
        builder.replace(at, at + 1, character);
    }
    return builder.finish();
}

}  // namespace wb::core
