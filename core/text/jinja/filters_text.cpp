// SPDX-License-Identifier: Apache-2.0
// Filters on texts and numbers.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

bool isTruthy(const Value* value) {
    return value && value->truthy();
}

Value trim(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("trim", 1, {"chars"});
    const Value* chars = arguments.find(0, "chars");
    const Text text = toText(runtime, input);
    return Value{stripText(text, Ends::Both, chars && !chars->isNone() ? &requireText(*chars, "trim") : nullptr)};
}

// As Jinja's filter, not as str.title: words begin after white space, hyphens and opening brackets.
Value title(Runtime& runtime, const Value& input, Arguments&) {
    const Text text = toText(runtime, input);
    Text out;
    bool isWordStart = true;
    for (size_t position = 0; position < text.size();) {
        const CodePoint point = codePointAt(text.bytes(), position);
        const Text character = text.slice(position, position + point.length);
        const bool isBreak = isSpace(point.value) ||
                             (point.value > 0 && point.value < 128 &&
                              std::string_view{"-({[<"}.find(static_cast<char>(point.value)) != std::string_view::npos);
        out.append(isBreak ? character : mapCase(character, isWordStart ? Case::Upper : Case::Lower));
        isWordStart = isBreak;
        position += point.length;
    }
    return Value{std::move(out)};
}

Value replace(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("replace", 3, {"old", "new", "count"});
    const Text from = toText(runtime, arguments.require("replace", 0, "old"));
    const Text to = toText(runtime, arguments.require("replace", 1, "new"));
    const Value* count = arguments.find(2, "count");
    const int64_t most = count && !count->isNone() ? requireInteger(*count, "replace") : -1;
    return Value{replaceText(runtime, toText(runtime, input), from.bytes(), to, most)};
}

Value indent(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("indent", 3, {"width", "first", "blank"});
    const Value* width = arguments.find(0, "width");
    const bool first = isTruthy(arguments.find(1, "first"));
    const bool blank = isTruthy(arguments.find(2, "blank"));
    Text unit{"    "};
    if (width && width->asText()) {
        unit = *width->asText();
    } else if (width) {
        const int64_t count = std::max<int64_t>(requireInteger(*width, "indent"), 0);
        runtime.checkTextSize(static_cast<size_t>(count));
        unit = Text{std::string(static_cast<size_t>(count), ' ')};
    }
    Text source = requireText(input, "indent");
    source.append("\n");  // so that a last empty line counts
    const std::vector<Text> lines = splitLines(source, false);
    Text out;
    for (size_t i = 0; i < lines.size(); ++i) {
        runtime.spendSteps(1);
        if (i > 0) out.append("\n");
        const bool isIndented = i == 0 ? first : blank || !lines[i].empty();
        if (isIndented) out.append(unit);
        out.append(lines[i]);
        runtime.checkTextSize(out.size());
    }
    runtime.chargeText(out.size());
    return Value{std::move(out)};
}

Value center(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("center", 1, {"width"});
    const Value* width = arguments.find(0, "width");
    const Text text = toText(runtime, input);
    return Value{padText(runtime, text, width ? requireInteger(*width, "center") : 80, Text{" "}, Ends::Both)};
}

// Runs of letters, digits and underscores.
Value wordcount(Runtime& runtime, const Value& input, Arguments&) {
    const Text text = toText(runtime, input);
    int64_t words = 0;
    bool isInside = false;
    for (size_t position = 0; position < text.size();) {
        const CodePoint point = codePointAt(text.bytes(), position);
        const bool isWord = isAlphabetic(point.value) || isNumeric(point.value) || point.value == '_';
        if (isWord && !isInside) ++words;
        isInside = isWord;
        position += point.length;
    }
    return Value::integer(words);
}

// Cuts at `length` code points, the end mark included, and then back to the last space unless words may be cut.
Value truncateText(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("truncate", 4, {"length", "killwords", "end", "leeway"});
    const auto integerOr = [&](size_t index, std::string_view name, int64_t absent) {
        const Value* value = arguments.find(index, name);
        return value && !value->isNone() ? requireInteger(*value, "truncate") : absent;
    };
    const int64_t length = integerOr(0, "length", 255);
    const int64_t leeway = integerOr(3, "leeway", 5);
    const Value* endValue = arguments.find(2, "end");
    const Text end = endValue ? requireText(*endValue, "truncate") : Text{"..."};
    // As Python has it, whatever is short enough passes.
    const auto count = static_cast<size_t>(std::max<int64_t>(length + leeway, 0));
    const bool isShortList = input.asList() && input.asList()->items.size() <= count;
    const bool isShortMap = input.asMap() && input.asMap()->entries.size() <= count;
    if (input.isUndefined() || isShortList || isShortMap) return input;
    const Text& text = requireText(input, "truncate");
    const auto endLength = static_cast<int64_t>(codePointCount(end.bytes()));
    if (length < endLength) fail(fmt::format("truncate: the length must be at least {}", endLength));
    if (leeway < 0) fail("truncate: the leeway must not be negative");
    const std::vector<size_t> starts = codePointStarts(text.bytes());
    if (static_cast<int64_t>(starts.size()) - 1 <= length + leeway) return input;
    Text out = text.slice(0, starts[static_cast<size_t>(length - endLength)]);
    const size_t space = out.bytes().rfind(' ');
    if (!isTruthy(arguments.find(1, "killwords")) && space != std::string::npos) out = out.slice(0, space);
    out.append(end);
    runtime.chargeText(out.size());
    return Value{std::move(out)};
}

Value escape(Runtime& runtime, const Value& input, Arguments&) {
    const Text text = toText(runtime, input);
    Text out;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text.bytes()[i];
        const std::string_view escaped = c == '&'    ? "&amp;"
                                         : c == '<'  ? "&lt;"
                                         : c == '>'  ? "&gt;"
                                         : c == '"'  ? "&#34;"
                                         : c == '\'' ? "&#39;"
                                                     : "";
        if (escaped.empty()) {
            out.append(text, i, i + 1);
        } else {
            out.append(escaped, text.originAt(i));
        }
    }
    runtime.chargeText(out.size());
    return Value{std::move(out)};
}

Value format(Runtime& runtime, const Value& input, Arguments& arguments) {
    if (arguments.named.empty())
        return Value{formatPercent(runtime, toText(runtime, input), Value::tuple(arguments.positional))};
    std::vector<std::pair<Value, Value>> entries;
    for (auto& [name, value] : arguments.named) entries.emplace_back(Value::text(name), value);
    return Value{formatPercent(runtime, toText(runtime, input), Value::map(std::move(entries)))};
}

Value tojson(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("tojson", 4, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.ensureAscii = isTruthy(arguments.find(0, "ensure_ascii"));
    style.sortKeys = isTruthy(arguments.find(3, "sort_keys"));
    if (const Value* indent = arguments.find(1, "indent"); indent && !indent->isNone()) {
        const Text* unit = indent->asText();
        const int64_t width = unit ? 0 : std::clamp<int64_t>(requireInteger(*indent, "tojson"), 0, 1000);
        style.indent = unit ? *unit : Text{std::string(static_cast<size_t>(width), ' ')};
        style.itemSeparator.resize(1);  // no space before the line break
    }
    if (const Value* separators = arguments.find(2, "separators"); separators && !separators->isNone()) {
        const List* pair = separators->asList();
        if (!pair || pair->items.size() != 2) fail("tojson: separators must be a pair of texts");
        style.itemSeparator = requireText(pair->items[0], "tojson").bytes();
        style.keySeparator = requireText(pair->items[1], "tojson").bytes();
    }
    return Value{toJson(runtime, input, style)};
}

std::string_view withoutSpace(std::string_view bytes) {
    bytes.remove_prefix(leadingSpace(bytes));
    bytes.remove_suffix(trailingSpace(bytes));
    return bytes;
}

template <typename Number>
std::optional<Number> parseNumber(std::string_view bytes, auto... base) {
    bytes = withoutSpace(bytes);
    if (bytes.starts_with('+') && !bytes.substr(1).starts_with('-')) bytes.remove_prefix(1);
    Number value{};
    const auto parsed = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value, base...);
    const bool isWhole = parsed.ec == std::errc{} && parsed.ptr == bytes.data() + bytes.size();
    return isWhole ? std::optional<Number>{value} : std::nullopt;
}

// Nothing for what is no number at all; Python's larger whole numbers are refused rather than cut.
std::optional<int64_t> truncate(double value) {
    constexpr double kLimit = 9223372036854775808.0;
    if (!std::isfinite(value)) return std::nullopt;
    if (value >= kLimit || value < -kLimit) failUnsupported("int: whole numbers beyond 64 bits are not supported");
    return static_cast<int64_t>(value);
}

void requireDefined(const Value& value, std::string_view callee) {
    if (const auto* undefined = value.as<Undefined>())
        fail(fmt::format("{}: '{}' is undefined", callee, undefined->name));
}

Value toInteger(Runtime&, const Value& input, Arguments& arguments) {
    arguments.expect("int", 2, {"default", "base"});
    const Value* absent = arguments.find(0, "default");
    const Value* base = arguments.find(1, "base");
    const int64_t radix = base ? requireInteger(*base, "int") : 10;
    if (radix < 2 || radix > 36) fail(fmt::format("int: the base must be 2 to 36, not {}", radix));
    requireDefined(input, "int");
    std::optional<int64_t> result = input.asInteger();
    if (!result && input.asNumber()) result = truncate(*input.asNumber());
    if (const Text* text = input.asText()) {
        result = parseNumber<int64_t>(text->bytes(), static_cast<int>(radix));
        if (!result)
            if (const auto number = parseNumber<double>(text->bytes())) result = truncate(*number);
    }
    if (result) return Value::integer(*result);
    return absent ? *absent : Value::integer(0);
}

Value toFloat(Runtime&, const Value& input, Arguments& arguments) {
    arguments.expect("float", 1, {"default"});
    requireDefined(input, "float");
    std::optional<double> result = input.asNumber();
    if (const Text* text = input.asText()) result = parseNumber<double>(text->bytes());
    if (result) return Value::number(*result);
    const Value* absent = arguments.find(0, "default");
    return absent ? *absent : Value::number(0.0);
}

Value absolute(Runtime&, const Value& input, Arguments&) {
    if (const auto integer = input.asInteger()) return *integer < 0 ? negate(input) : Value::integer(*integer);
    if (const auto number = input.asNumber()) return Value::number(std::abs(*number));
    fail(fmt::format("abs needs a number, not {}", input.typeName()));
}

// To a multiple of a power of ten, halves to the even one.
int64_t roundInteger(int64_t value, int64_t precision) {
    int64_t unit = 1;
    for (; precision < 0; ++precision) unit *= 10;
    const int64_t rest = (value % unit + unit) % unit;
    const int64_t below = value - rest;
    const bool isUp = rest * 2 > unit || (rest * 2 == unit && (below / unit) % 2 != 0);
    return isUp ? below + unit : below;
}

Value roundNumber(Runtime&, const Value& input, Arguments& arguments) {
    arguments.expect("round", 2, {"precision", "method"});
    const Value* precisionValue = arguments.find(0, "precision");
    const Value* methodValue = arguments.find(1, "method");
    const int64_t precision = precisionValue ? requireInteger(*precisionValue, "round") : 0;
    if (precision < -18 || precision > 15) fail("round: the precision must be -18 to 15");
    const std::string method = methodValue ? requireText(*methodValue, "round").bytes() : "common";
    const auto number = input.asNumber();
    if (!number) fail(fmt::format("round needs a number, not {}", input.typeName()));
    if (method == "common") {
        if (input.asInteger()) return Value::integer(roundInteger(*input.asInteger(), precision));
        if (precision < 0) {
            const double unit = std::pow(10.0, static_cast<double>(-precision));
            return Value::number(std::nearbyint(*number / unit) * unit);
        }
        // Printing rounds the exact binary value half to even, as Python's round does.
        return Value::number(std::stod(fmt::format("{:.{}f}", *number, static_cast<int>(precision))));
    }
    if (method != "ceil" && method != "floor") fail("round: the method must be 'common', 'ceil' or 'floor'");
    const double scale = std::pow(10.0, static_cast<double>(precision));
    const double whole = method == "ceil" ? std::ceil(*number * scale) : std::floor(*number * scale);
    return Value::number(whole == 0.0 ? 0.0 : whole / scale);  // Python's whole numbers know no negative zero
}

Value defaultTo(Runtime&, const Value& input, Arguments& arguments) {
    arguments.expect("default", 2, {"default_value", "boolean"});
    const bool alsoFalse = isTruthy(arguments.find(1, "boolean"));
    if (!input.isUndefined() && (!alsoFalse || input.truthy())) return input;
    const Value* absent = arguments.find(0, "default_value");
    return absent ? *absent : Value::text("");
}

Value toTextFilter(Runtime& runtime, const Value& input, Arguments&) {
    return input.asText() ? input : Value{toText(runtime, input)};
}

template <Case Target>
Value changeCase(Runtime& runtime, const Value& input, Arguments&) {
    return Value{mapCase(toText(runtime, input), Target)};
}

constexpr FilterEntry kFilters[] = {
    {"trim", trim},
    {"upper", changeCase<Case::Upper>},
    {"lower", changeCase<Case::Lower>},
    {"capitalize",
     [](Runtime& runtime, const Value& input, Arguments&) { return Value{capitalize(toText(runtime, input))}; }},
    {"title", title},
    {"replace", replace},
    {"indent", indent},
    {"center", center},
    {"wordcount", wordcount},
    {"truncate", truncateText},
    {"string", toTextFilter},
    {"safe", toTextFilter},
    {"escape", escape},
    {"e", escape},
    {"forceescape", escape},
    {"format", format},
    {"tojson", tojson},
    {"int", toInteger},
    {"float", toFloat},
    {"abs", absolute},
    {"round", roundNumber},
    {"default", defaultTo},
    {"d", defaultTo},
};

}  // namespace

std::span<const FilterEntry> textFilters() {
    return kFilters;
}

}  // namespace wb::core::jinja
