// SPDX-License-Identifier: Apache-2.0
#include "core/text/tokenizer/normalizer.h"

#include "core/text/utf8.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <functional>

namespace wb::core {
namespace {

const icu::Normalizer2& unicodeForm(NormalizerStep::Kind kind) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* form = nullptr;
    switch (kind) {
        case NormalizerStep::Kind::Nfd: form = icu::Normalizer2::getNFDInstance(status); break;
        case NormalizerStep::Kind::Nfkc: form = icu::Normalizer2::getNFKCInstance(status); break;
        case NormalizerStep::Kind::Nfkd: form = icu::Normalizer2::getNFKDInstance(status); break;
        default: form = icu::Normalizer2::getNFCInstance(status); break;
    }
    if (U_FAILURE(status) || form == nullptr) {
        throw Error{ErrorCode::Internal,
                    fmt::format("the ICU library has no normalisation data: {}", u_errorName(status))};
    }
    return *form;
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

// Works from boundary to boundary, so that what did not change keeps its alignment byte by byte.
AlignedText toUnicodeForm(NormalizerStep::Kind kind, const AlignedText& from) {
    const icu::Normalizer2& form = unicodeForm(kind);
    const std::string_view text = from.text();
    UErrorCode status = U_ZERO_ERROR;
    if (form.isNormalizedUTF8(pieceOf(text), status) != 0 && U_SUCCESS(status)) return from;
    AlignedTextBuilder builder(from);
    size_t begin = 0;
    while (begin < text.size()) {
        size_t end = begin + decodeUtf8(text.substr(begin)).bytes;
        while (end < text.size()) {
            const Utf8Step step = decodeUtf8(text.substr(end));
            if (form.hasBoundaryBefore(static_cast<UChar32>(step.codePoint)) != 0) break;
            end += step.bytes;
        }
        const std::string_view run = text.substr(begin, end - begin);
        const std::string normalized = normalizedForm(form, run);
        if (normalized == run)
            builder.keep(begin, end);
        else
            builder.replace(begin, end, normalized);
        begin = end;
    }
    return builder.finish();
}

// Replaces each character by what `change` makes of it.
AlignedText mapCharacters(const AlignedText& from,
                          const std::function<std::string(std::string_view, char32_t)>& change) {
    const std::string_view text = from.text();
    AlignedTextBuilder builder(from);
    for (size_t begin = 0; begin < text.size();) {
        const Utf8Step step = decodeUtf8(text.substr(begin));
        const std::string_view character = text.substr(begin, step.bytes);
        const std::string changed = change(character, step.codePoint);
        if (changed == character)
            builder.keep(begin, begin + step.bytes);
        else if (!changed.empty())
            builder.replace(begin, begin + step.bytes, changed);
        begin += step.bytes;
    }
    return builder.finish();
}

std::string lowerCase(std::string_view character, char32_t) {
    // Each character by itself: the final-sigma rule of whole words is no part of the reference.
    icu::UnicodeString text = icu::UnicodeString::fromUTF8(pieceOf(character));
    text.toLower(icu::Locale::getRoot());
    std::string result;
    text.toUTF8String(result);
    return result;
}

std::string withoutMark(std::string_view character, char32_t codePoint) {
    return u_charType(static_cast<UChar32>(codePoint)) == U_NON_SPACING_MARK ? std::string() : std::string(character);
}

AlignedText strip(const NormalizerStep& step, const AlignedText& from) {
    const std::string_view text = from.text();
    const auto isSpace = [](char32_t c) {
        return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_WHITE_SPACE) != 0;
    };
    size_t firstKept = text.size();
    size_t keptEnd = 0;
    for (size_t begin = 0; begin < text.size();) {
        const Utf8Step character = decodeUtf8(text.substr(begin));
        if (!isSpace(character.codePoint)) {
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
    switch (step.kind) {
        case NormalizerStep::Kind::Nfc:
        case NormalizerStep::Kind::Nfd:
        case NormalizerStep::Kind::Nfkc:
        case NormalizerStep::Kind::Nfkd: return toUnicodeForm(step.kind, text);
        case NormalizerStep::Kind::Lowercase: return mapCharacters(text, lowerCase);
        case NormalizerStep::Kind::StripAccents: return mapCharacters(text, withoutMark);
        case NormalizerStep::Kind::Strip: return strip(step, text);
        case NormalizerStep::Kind::Replace: return replaceAll(step, text);
        case NormalizerStep::Kind::Prepend: return prepend(step, text);
    }
    return text;
}

}  // namespace

AlignedText normalize(const std::vector<NormalizerStep>& steps, AlignedText text) {
    for (const NormalizerStep& step : steps) text = applyStep(step, text);
    return text;
}

}  // namespace wb::core
