// SPDX-License-Identifier: Apache-2.0
// "%s" % values and "{}".format(values).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/format_spec.h"
#include "core/text/jinja/text_ops.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

// The values of a % operation: a tuple in order, a map by name, or one value.
class PercentValues {
public:
    explicit PercentValues(const Value& values) : m_values(values) {
        const List* list = values.asList();
        m_tuple = list && list->isTuple() ? list : nullptr;
    }

    Value next() {
        const size_t count = m_tuple ? m_tuple->items.size() : 1;
        if (m_used >= count) fail("%: not enough values for the pattern");
        return m_tuple ? m_tuple->items[m_used++] : (++m_used, m_values);
    }

    Value named(std::string_view name) {
        if (!m_values.asMap()) fail("%: a name in the pattern needs a map of values");
        m_used = 1;
        const Value* value = m_values.asMap()->find(name);
        if (!value) fail(fmt::format("%: there is no value named '{}'", name));
        return *value;
    }

    void expectAllUsed() const {
        // As Python has it, a list or something undefined may stay unused, too.
        const bool mayStay = m_values.asMap() || (m_values.asList() && !m_tuple) || m_values.isUndefined();
        if (m_tuple ? m_used < m_tuple->items.size() : m_used == 0 && !mayStay)
            fail("%: more values than the pattern has places");
    }

private:
    const Value& m_values;
    const List* m_tuple = nullptr;
    size_t m_used = 0;
};

// The place of a value in a % pattern, behind its '%': "(name)-08.3f".
struct PercentPlace {
    std::string_view name;
    bool hasName = false;
    FormatSpec spec;
};

// Reads a place from `position` on and moves it to the conversion's letter.
PercentPlace parsePercentPlace(std::string_view bytes, size_t& position) {
    PercentPlace place;
    const auto at = [&](size_t i) { return i < bytes.size() ? bytes[i] : '\0'; };
    if (at(position) == '(') {
        const size_t close = bytes.find(')', position);
        if (close == std::string_view::npos) fail("%: a name in the pattern is not closed");
        place.name = bytes.substr(position + 1, close - position - 1);
        place.hasName = true;
        position = close + 1;
    }
    bool isLeft = false;
    bool hasZeros = false;
    for (;; ++position) {
        const char flag = at(position);
        if (flag == '-') {
            isLeft = true;
        } else if (flag == '0') {
            hasZeros = true;
        } else if (flag == '#') {
            place.spec.isAlternate = true;
        } else if (flag == '+' || (flag == ' ' && place.spec.sign != '+')) {
            place.spec.sign = flag;
        } else if (flag != ' ') {
            break;
        }
    }
    const auto number = [&] {
        int64_t value = 0;
        for (; at(position) >= '0' && at(position) <= '9'; ++position) {
            value = value * 10 + (at(position) - '0');
            if (value > (1 << 28)) fail("%: a number in the pattern is too large");
        }
        return value;
    };
    place.spec.width = number();
    if (at(position) == '.') {
        ++position;
        place.spec.precision = number();
    }
    if (at(position) == '*') failUnsupported("%: a width or precision given as '*' is not supported");
    while (at(position) == 'l' || at(position) == 'h' || at(position) == 'L') ++position;
    place.spec.type = at(position);
    place.spec.align = isLeft ? '<' : hasZeros ? '=' : '>';
    if (hasZeros && !isLeft) place.spec.fill = "0";
    return place;
}

// Whole numbers may have a precision here: at least so many digits.
Text convertPercentInteger(Runtime& runtime, const Value& value, FormatSpec spec) {
    std::optional<int64_t> integer = value.asInteger();
    if (!integer && value.asNumber() && spec.type == 'd') {
        const double number = *value.asNumber();
        if (!(number > -9.2e18 && number < 9.2e18)) fail("%d: the number is too large");
        integer = static_cast<int64_t>(number);
    }
    if (!integer) fail(fmt::format("%{} needs a whole number, not {}", spec.type, value.typeName()));
    if (!spec.precision) return formatValue(runtime, Value::integer(*integer), spec);
    FormatSpec digits = spec;
    digits.precision.reset();
    digits.fill = "0";
    digits.align = '=';
    const bool hasSign = *integer < 0 || spec.sign != '-';
    const bool hasMark = spec.isAlternate && spec.type != 'd';
    digits.width = *spec.precision + (hasSign ? 1 : 0) + (hasMark ? 2 : 0);
    FormatSpec field;
    field.width = spec.width;
    field.align = spec.align == '=' ? '>' : spec.align;
    if (spec.fill == "0") field.fill = spec.width > digits.width ? "" : "0";
    return formatValue(runtime, Value{formatValue(runtime, Value::integer(*integer), digits)}, field);
}

Text convertPercent(Runtime& runtime, FormatSpec spec, const Value& value) {
    if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
    switch (spec.type) {
        case 's':
        case 'r':
        case 'a': {
            if (spec.type == 'a') failUnsupported("%: the conversion 'a' is not supported; use %s or %r");
            const Text text = spec.type == 's' ? toText(runtime, value) : toLiteral(runtime, value);
            FormatSpec plain;
            plain.width = spec.width;
            plain.precision = spec.precision;
            plain.align = spec.align == '=' ? '>' : spec.align;
            return formatValue(runtime, Value{text}, plain);
        }
        case 'd':
        case 'x':
        case 'X':
        case 'o': return convertPercentInteger(runtime, value, spec);
        case 'c':
            if (const Text* text = value.asText()) {
                if (codePointCount(text->bytes()) != 1) fail("%c needs one character");
                FormatSpec plain;
                plain.width = spec.width;
                plain.align = spec.align == '=' ? '>' : spec.align;
                return formatValue(runtime, value, plain);
            }
            if (!value.asInteger()) fail(fmt::format("%c needs a character, not {}", value.typeName()));
            return formatValue(runtime, value, spec);
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
            if (!value.asNumber()) fail(fmt::format("%{} needs a number, not {}", spec.type, value.typeName()));
            return formatValue(runtime, value, spec);
        default: failUnsupported(fmt::format("%: the conversion '{}' is not supported", spec.type));
    }
}

Value convertField(Runtime& runtime, char conversion, const Value& value) {
    if (conversion == 's') return Value{toText(runtime, value)};
    if (conversion == 'r') return Value{toLiteral(runtime, value)};
    failUnsupported(fmt::format("format: the conversion '!{}' is not supported; use !s or !r", conversion));
}

// "name.attribute[0]" of a replacement field.
class FieldResolver {
public:
    FieldResolver(Runtime& runtime, const Arguments& arguments) : m_runtime(runtime), m_arguments(arguments) {}

    Value resolve(std::string_view field) {
        size_t end = std::min(field.find_first_of(".["), field.size());
        Value value = first(field.substr(0, end));
        while (end < field.size()) {
            const bool isItem = field[end] == '[';
            const size_t begin = end + 1;
            end = std::min(isItem ? field.find(']', begin) : field.find_first_of(".[", begin), field.size());
            const std::string_view key = field.substr(begin, end - begin);
            if (key.empty()) fail("format: a field has an empty attribute");
            value = isItem ? getItem(m_runtime, value, indexValue(key)) : getAttribute(value, key);
            if (value.isUndefined()) fail(fmt::format("format: '{}' is undefined", field));
            if (isItem) end = std::min(end + 1, field.size());
        }
        return value;
    }

private:
    static bool isNumber(std::string_view text) {
        return !text.empty() && text.size() < 18 && text.find_first_not_of("0123456789") == std::string_view::npos;
    }
    static Value indexValue(std::string_view key) {
        return isNumber(key) ? Value::integer(std::stoll(std::string{key})) : Value::text(std::string{key});
    }

    Value first(std::string_view name) {
        if (!name.empty() && !isNumber(name)) return m_arguments.require("format", SIZE_MAX, name);
        (name.empty() ? m_hasAutomatic : m_hasNumbered) = true;
        if (m_hasAutomatic && m_hasNumbered) fail("format: numbered and automatic fields cannot be mixed");
        const size_t index = name.empty() ? m_next++ : static_cast<size_t>(std::stoull(std::string{name}));
        if (index >= m_arguments.positional.size()) fail(fmt::format("format: there is no value number {}", index));
        return m_arguments.positional[index];
    }

    Runtime& m_runtime;
    const Arguments& m_arguments;
    size_t m_next = 0;
    bool m_hasNumbered = false;
    bool m_hasAutomatic = false;
};

// One replacement field without its braces: "name!r:>8".
Text formatField(Runtime& runtime, std::string_view field, FieldResolver& resolver) {
    const size_t colon = std::min(field.find(':'), field.size());
    const std::string_view spec = field.substr(std::min(colon + 1, field.size()));
    std::string_view name = field.substr(0, colon);
    const size_t mark = name.find('!');
    const std::string_view conversion = mark == std::string_view::npos ? std::string_view{} : name.substr(mark + 1);
    name = name.substr(0, mark);
    Value value = resolver.resolve(name);
    if (mark != std::string_view::npos) {
        if (conversion.size() != 1) fail("format: one letter is expected behind '!'");
        value = convertField(runtime, conversion[0], value);
    }
    return spec.empty() ? toText(runtime, value) : formatValue(runtime, value, parseFormatSpec(spec));
}

}  // namespace

Text formatPercent(Runtime& runtime, const Text& pattern, const Value& values) {
    PercentValues source{values};
    const std::string& bytes = pattern.bytes();
    Text out;
    for (size_t i = 0; i < bytes.size(); ++i) {
        const size_t mark = std::min(bytes.find('%', i), bytes.size());
        out.append(pattern, i, mark);
        i = mark;
        if (i >= bytes.size()) break;
        runtime.spendSteps(1);
        if (++i >= bytes.size()) fail("%: the pattern ends inside a place");
        if (bytes[i] == '%') {
            out.append(pattern, i, i + 1);
            continue;
        }
        const PercentPlace place = parsePercentPlace(bytes, i);
        if (i >= bytes.size()) fail("%: the pattern ends inside a place");
        const Value value = place.hasName ? source.named(place.name) : source.next();
        out.append(convertPercent(runtime, place.spec, value));
        runtime.checkTextSize(out.size());
    }
    source.expectAllUsed();
    runtime.chargeText(out.size());
    return out;
}

Text formatBraces(Runtime& runtime, const Text& pattern, const Arguments& arguments) {
    const std::string& bytes = pattern.bytes();
    Text out;
    FieldResolver resolver{runtime, arguments};
    for (size_t i = 0; i < bytes.size(); ++i) {
        const size_t mark = std::min(bytes.find_first_of("{}", i), bytes.size());
        out.append(pattern, i, mark);
        i = mark;
        if (i >= bytes.size()) break;
        runtime.spendSteps(1);
        if (i + 1 < bytes.size() && bytes[i + 1] == bytes[i]) {
            out.append(pattern, i, i + 1);
            ++i;
            continue;
        }
        if (bytes[i] == '}') fail("format: a single '}' in the pattern");
        const size_t close = bytes.find('}', i);
        if (close == std::string::npos) fail("format: a '{' in the pattern is not closed");
        const std::string_view field = std::string_view{bytes}.substr(i + 1, close - i - 1);
        if (field.find('{') != std::string_view::npos)
            failUnsupported("format: fields inside of fields are not supported");
        out.append(formatField(runtime, field, resolver));
        runtime.checkTextSize(out.size());
        i = close;
    }
    runtime.chargeText(out.size());
    return out;
}

}  // namespace wb::core::jinja
