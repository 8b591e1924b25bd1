// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/format_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text/jinja/text_ops.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

constexpr int64_t kMaxPrecision = 1000;

bool isOneOf(char c, std::string_view set) {
    return c != '\0' && set.find(c) != std::string_view::npos;
}

bool isAscii(char c) {
    return (static_cast<unsigned char>(c) & 0x80) == 0;
}

// A walk over the characters of a specification.
class SpecReader {
public:
    explicit SpecReader(std::string_view text) : m_text(text) {}

    char peek(size_t ahead = 0) const { return m_at + ahead < m_text.size() ? m_text[m_at + ahead] : '\0'; }
    char takeOneOf(std::string_view set) { return isOneOf(peek(), set) ? m_text[m_at++] : '\0'; }
    std::string takeCodePoint() {
        const size_t length = codePointAt(m_text, m_at).length;
        m_at += length;
        return std::string{m_text.substr(m_at - length, length)};
    }
    size_t codePointLength() const { return m_at < m_text.size() ? codePointAt(m_text, m_at).length : 0; }
    std::optional<int64_t> takeNumber() {
        std::optional<int64_t> number;
        while (peek() >= '0' && peek() <= '9') {
            number = number.value_or(0) * 10 + (m_text[m_at++] - '0');
            if (*number > (1 << 28)) fail("format: a number in the specification is too large");
        }
        return number;
    }
    bool isDone() const { return m_at == m_text.size(); }

private:
    std::string_view m_text;
    size_t m_at = 0;
};

[[noreturn]] void failType(const FormatSpec& spec, const Value& value) {
    fail(fmt::format("format: '{}' does not fit a value of type {}", spec.type, value.typeName()));
}

// Digits in groups from the right; the leading `width` is reached with zeros that are grouped, too.
std::string group(std::string digits, char mark, size_t groupLength, size_t minWidth) {
    if (mark == '\0') {
        if (digits.size() < minWidth) digits.insert(0, minWidth - digits.size(), '0');
        return digits;
    }
    const auto grouped = [&](const std::string& plain) {
        std::string out;
        for (size_t i = 0; i < plain.size(); ++i) {
            if (i > 0 && (plain.size() - i) % groupLength == 0) out.push_back(mark);
            out.push_back(plain[i]);
        }
        return out;
    };
    // So many digits fit for certain; marks take the rest of the room.
    const size_t fitting = minWidth * groupLength / (groupLength + 1);
    if (digits.size() < fitting) digits.insert(0, fitting - digits.size(), '0');
    std::string out = grouped(digits);
    while (out.size() < minWidth) {
        digits.insert(0, 1, '0');
        out = grouped(digits);
    }
    return out;
}

struct NumberText {
    std::string prefix;  // sign and "0x"
    std::string digits;  // before the point
    std::string rest;    // the point and all after it
    size_t groupLength = 3;
};

// The odd one of an odd number of fills goes right.
Text padCentred(Runtime& runtime, const Text& text, int64_t width, const Text& fill) {
    const auto length = static_cast<int64_t>(codePointCount(text.bytes()));
    const int64_t left = std::max<int64_t>(width - length, 0) / 2;
    return padText(runtime, padText(runtime, text, length + left, fill, Ends::Left), width, fill, Ends::Right);
}

std::string signText(bool isNegative, char sign) {
    return isNegative ? "-" : sign == '-' ? "" : std::string{sign};
}

Text finishNumber(Runtime& runtime, const FormatSpec& spec, const NumberText& number) {
    const bool fillsInside = spec.align == '=' || spec.isZeroPadded;
    const std::string& fill = spec.fill;
    const size_t used = number.prefix.size() + number.rest.size();
    const auto width = static_cast<size_t>(spec.width);
    runtime.checkTextSize(width * std::max<size_t>(fill.size(), 1));
    const bool fillsWithZeros = fillsInside && fill == "0";
    const size_t minDigits = fillsWithZeros && width > used ? width - used : 0;
    const std::string digits = group(number.digits, spec.grouping, number.groupLength, minDigits);
    if (fillsInside && !fillsWithZeros) {
        const Text body{digits + number.rest};
        const auto room = spec.width - static_cast<int64_t>(number.prefix.size());
        Text out{number.prefix};
        out.append(padText(runtime, body, room, Text{fill.empty() ? " " : fill}, Ends::Left));
        return out;
    }
    const Ends side = spec.align == '<' ? Ends::Right : spec.align == '^' ? Ends::Both : Ends::Left;
    const Text body{number.prefix + digits + number.rest};
    if (side == Ends::Both) return padCentred(runtime, body, spec.width, Text{fill.empty() ? " " : fill});
    return padText(runtime, body, spec.width, Text{fill.empty() ? " " : fill}, side);
}

Text formatInteger(Runtime& runtime, int64_t value, const FormatSpec& spec) {
    if (spec.precision) fail("format: a whole number takes no precision");
    const uint64_t size = value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
    NumberText number;
    number.prefix = signText(value < 0, spec.sign);
    switch (spec.type) {
        case 'c': {
            if (value < 0 || value > 0x10FFFF) fail("format: 'c' needs the number of a Unicode character");
            std::string character;
            appendUtf8(character, static_cast<uint32_t>(value));
            return padText(runtime, Text{std::move(character)}, spec.width, Text{spec.fill.empty() ? " " : spec.fill},
                           spec.align == '>' ? Ends::Left : Ends::Right);
        }
        case 'x': number.digits = fmt::format("{:x}", size); break;
        case 'X': number.digits = fmt::format("{:X}", size); break;
        case 'o': number.digits = fmt::format("{:o}", size); break;
        case 'b': number.digits = fmt::format("{:b}", size); break;
        default: number.digits = fmt::format("{}", size); break;
    }
    if (isOneOf(spec.type, "xXob")) {
        number.groupLength = 4;
        if (spec.isAlternate) number.prefix += std::string{'0', spec.type};
    }
    return finishNumber(runtime, spec, number);
}

// Without a type and with a precision, Python writes as 'g' but always shows that it is a float.
std::string generalDigits(double size, int64_t precision) {
    const int digits = static_cast<int>(std::max<int64_t>(precision, 1));
    const std::string scientific = fmt::format("{:.{}e}", size, digits - 1);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    if (exponent < -4 || exponent >= digits - 1) {
        std::string mantissa = scientific.substr(0, scientific.find('e'));
        if (mantissa.find('.') != std::string::npos) {
            while (mantissa.back() == '0') mantissa.pop_back();
            if (mantissa.back() == '.') mantissa.pop_back();
        }
        return mantissa + scientific.substr(scientific.find('e'));
    }
    const std::string text = fmt::format("{:.{}g}", size, digits);
    return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string floatDigits(double size, const FormatSpec& spec) {
    const int precision = static_cast<int>(spec.precision.value_or(6));
    switch (spec.type) {
        case 'f':
        case 'F':
            return spec.isAlternate ? fmt::format("{:#.{}f}", size, precision)
                                    : fmt::format("{:.{}f}", size, precision);
        case 'e':
            return spec.isAlternate ? fmt::format("{:#.{}e}", size, precision)
                                    : fmt::format("{:.{}e}", size, precision);
        case 'E':
            return spec.isAlternate ? fmt::format("{:#.{}E}", size, precision)
                                    : fmt::format("{:.{}E}", size, precision);
        case 'n':
        case 'g':
            return spec.isAlternate ? fmt::format("{:#.{}g}", size, precision)
                                    : fmt::format("{:.{}g}", size, precision);
        case 'G':
            return spec.isAlternate ? fmt::format("{:#.{}G}", size, precision)
                                    : fmt::format("{:.{}G}", size, precision);
        case '%': return fmt::format("{:.{}f}%", size * 100.0, precision);
        default: return spec.precision ? generalDigits(size, *spec.precision) : formatFloat(size);
    }
}

Text formatFloatValue(Runtime& runtime, double value, const FormatSpec& spec) {
    NumberText number;
    number.prefix = signText(std::signbit(value) && !std::isnan(value), spec.sign);
    if (!std::isfinite(value)) {
        const bool isUpperCase = isOneOf(spec.type, "EFG");
        number.digits = std::isnan(value) ? (isUpperCase ? "NAN" : "nan") : (isUpperCase ? "INF" : "inf");
        if (spec.type == '%') number.digits += '%';
    } else {
        const std::string text = floatDigits(std::abs(value), spec);
        const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
        number.digits = text.substr(0, end);
        number.rest = text.substr(end);
    }
    return finishNumber(runtime, spec, number);
}

Text formatText(Runtime& runtime, const Text& text, const FormatSpec& spec) {
    if (spec.align == '=') fail("format: '=' needs a number");
    if (spec.sign != '-' || spec.isAlternate || spec.grouping != '\0') fail("format: signs and groups need a number");
    Text out = text;
    if (spec.precision) {
        const std::vector<size_t> starts = codePointStarts(text.bytes());
        out = text.slice(0, starts[std::min(starts.size() - 1, static_cast<size_t>(*spec.precision))]);
    }
    const Text fill{spec.fill.empty() ? " " : spec.fill};
    if (spec.align == '^') return padCentred(runtime, out, spec.width, fill);
    return padText(runtime, out, spec.width, fill, spec.align == '>' ? Ends::Left : Ends::Right);
}

}  // namespace

FormatSpec parseFormatSpec(std::string_view text) {
    constexpr std::string_view kAligns = "<>=^";
    SpecReader reader{text};
    FormatSpec spec;
    const size_t first = reader.codePointLength();
    if (first > 0 && isOneOf(reader.peek(first), kAligns)) {
        spec.fill = reader.takeCodePoint();
        spec.align = reader.takeOneOf(kAligns);
    } else {
        spec.align = reader.takeOneOf(kAligns);
    }
    if (const char sign = reader.takeOneOf("+- ")) spec.sign = sign;
    spec.isAlternate = reader.takeOneOf("#") != '\0';
    if (reader.takeOneOf("0") && spec.fill.empty()) {
        spec.fill = "0";
        spec.isZeroPadded = spec.align == '\0';
    }
    spec.width = reader.takeNumber().value_or(0);
    spec.grouping = reader.takeOneOf(",_");
    if (reader.takeOneOf(".")) {
        spec.precision = reader.takeNumber();
        if (!spec.precision) fail("format: a number is missing behind the '.' of the specification");
        if (*spec.precision > kMaxPrecision) fail("format: the precision is too large");
    }
    spec.type = isAscii(reader.peek()) ? reader.takeOneOf("bcdeEfFgGnosxX%") : '\0';
    if (!reader.isDone()) failUnsupported(fmt::format("format: the specification '{}' is not supported", text));
    return spec;
}

Text formatValue(Runtime& runtime, const Value& value, const FormatSpec& spec) {
    if (const Text* text = value.asText()) {
        if (spec.type != '\0' && spec.type != 's') failType(spec, value);
        return formatText(runtime, *text, spec);
    }
    const auto integer = value.asInteger();
    const auto number = value.asNumber();
    if (!number) fail(fmt::format("format: a specification does not fit a value of type {}", value.typeName()));
    if (spec.type == 's') failType(spec, value);
    const bool asFloat = !integer || isOneOf(spec.type, "eEfFgG%");
    if (asFloat && isOneOf(spec.type, "bcdoxX")) failType(spec, value);
    return asFloat ? formatFloatValue(runtime, *number, spec) : formatInteger(runtime, *integer, spec);
}

}  // namespace wb::core::jinja
