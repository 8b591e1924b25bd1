// SPDX-License-Identifier: Apache-2.0
// Methods of texts, as Python's str has them.
#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/methods.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

// The part of a text that a search is about: [start, end) of the arguments, in bytes.
struct Window {
    size_t begin = 0;
    size_t end = 0;
    bool exists = true;  // false if it begins behind the text's end or its own end: then not even "" is found
};

Window searchWindow(const MethodCall& call) {
    const std::vector<size_t> starts = codePointStarts(call.text().bytes());
    const auto length = static_cast<int64_t>(starts.size()) - 1;
    const auto bound = [&](size_t index, int64_t absent) {
        const Value* value = call.arguments.find(index, "");
        if (!value || value->isNone()) return absent;
        const int64_t place = requireInteger(*value, call.name);
        return place < 0 ? std::max<int64_t>(place + length, 0) : place;
    };
    const int64_t start = bound(1, 0);
    const int64_t end = std::min(bound(2, length), length);
    if (start > end) return {0, 0, false};
    return {starts[static_cast<size_t>(start)], starts[static_cast<size_t>(end)], true};
}

std::string_view windowBytes(const MethodCall& call, const Window& window) {
    return std::string_view{call.text().bytes()}.substr(window.begin, window.end - window.begin);
}

// str.startswith and endswith: one text, or any of a tuple.
Value hasAffix(const MethodCall& call, bool atStart) {
    const Value& wanted = call.arguments.require(call.name, 0, "prefix");
    const Window window = searchWindow(call);
    const std::string_view bytes = windowBytes(call, window);
    const auto matches = [&](const Value& candidate) {
        const std::string& affix = requireText(candidate, call.name).bytes();
        return window.exists && (atStart ? bytes.starts_with(affix) : bytes.ends_with(affix));
    };
    if (const List* list = wanted.asList(); list && list->isTuple())
        return Value::boolean(std::any_of(list->items.begin(), list->items.end(), matches));
    return Value::boolean(matches(wanted));
}

Value strip(const MethodCall& call, Ends ends) {
    return Value{stripText(call.text(), ends, call.optionalText(0, "chars"))};
}

// Position in code points of the first or last match, -1 if there is none.
int64_t findText(const MethodCall& call, bool fromRight) {
    const std::string& wanted = call.textArgument(0, "sub").bytes();
    const Window window = searchWindow(call);
    if (!window.exists) return -1;
    const std::string_view bytes = windowBytes(call, window);
    const size_t match = fromRight ? bytes.rfind(wanted) : bytes.find(wanted);
    if (match == std::string_view::npos) return -1;
    const std::string_view before = std::string_view{call.text().bytes()}.substr(0, window.begin + match);
    return static_cast<int64_t>(codePointCount(before));
}

Value findOrFail(const MethodCall& call, bool fromRight) {
    const int64_t place = findText(call, fromRight);
    if (place < 0) fail(fmt::format("{}: the text does not occur", call.name));
    return Value::integer(place);
}

Value countText(const MethodCall& call) {
    const std::string& wanted = call.textArgument(0, "sub").bytes();
    const Window window = searchWindow(call);
    if (!window.exists) return Value::integer(0);
    const std::string_view bytes = windowBytes(call, window);
    if (wanted.empty()) return Value::integer(static_cast<int64_t>(codePointCount(bytes)) + 1);
    int64_t count = 0;
    for (size_t match = bytes.find(wanted); match != std::string_view::npos;
         match = bytes.find(wanted, match + wanted.size()))
        ++count;
    return Value::integer(count);
}

Value partition(const MethodCall& call, bool fromRight) {
    const Text& text = call.text();
    const Text& mark = call.textArgument(0, "sep");
    if (mark.empty()) fail(fmt::format("{}: the separator must not be empty", call.name));
    const size_t match = fromRight ? text.bytes().rfind(mark.bytes()) : text.bytes().find(mark.bytes());
    const Value nothing = Value::text("");
    if (match == std::string::npos)
        return fromRight ? Value::tuple({nothing, nothing, call.self}) : Value::tuple({call.self, nothing, nothing});
    const size_t after = match + mark.size();
    return Value::tuple(
        {Value{text.slice(0, match)}, Value{text.slice(match, after)}, Value{text.slice(after, text.size())}});
}

Value removeAffix(const MethodCall& call, bool atStart) {
    const Text& text = call.text();
    const std::string& affix = call.textArgument(0, "affix").bytes();
    if (atStart && text.bytes().starts_with(affix)) return Value{text.slice(affix.size(), text.size())};
    if (!atStart && text.bytes().ends_with(affix)) return Value{text.slice(0, text.size() - affix.size())};
    return call.self;
}

Value splitLinesMethod(const MethodCall& call) {
    const Value* keepEnds = call.arguments.find(0, "keepends");
    std::vector<Value> lines;
    for (Text& line : splitLines(call.text(), keepEnds && keepEnds->truthy())) lines.emplace_back(std::move(line));
    return Value::list(std::move(lines));
}

Value swapCase(const MethodCall& call) {
    const Text& text = call.text();
    Text out;
    for (size_t i = 0; i < text.size();) {
        const CodePoint point = codePointAt(text.bytes(), i);
        const Text character = text.slice(i, i + point.length);
        out.append(isUpper(point.value)   ? mapCase(character, Case::Lower)
                   : isLower(point.value) ? mapCase(character, Case::Upper)
                                          : character);
        i += point.length;
    }
    return Value{std::move(out)};
}

Value pad(const MethodCall& call, Ends side) {
    const int64_t width = requireInteger(call.arguments.require(call.name, 0, "width"), call.name);
    const Text* fill = call.optionalText(1, "fillchar");
    if (fill && codePointCount(fill->bytes()) != 1) fail(fmt::format("{}: the fill must be one character", call.name));
    return Value{padText(call.runtime, call.text(), width, fill ? *fill : Text{" "}, side)};
}

// Zeros go behind a sign.
Value zeroFill(const MethodCall& call) {
    const int64_t width = requireInteger(call.arguments.require(call.name, 0, "width"), call.name);
    const Text& text = call.text();
    const size_t sign = !text.empty() && (text.bytes()[0] == '-' || text.bytes()[0] == '+') ? 1 : 0;
    Text out = text.slice(0, sign);
    out.append(padText(call.runtime, text.slice(sign, text.size()), width - static_cast<int64_t>(sign), Text{"0"},
                       Ends::Left));
    return Value{std::move(out)};
}

Value joinMethod(const MethodCall& call) {
    const auto items = iterate(call.runtime, call.arguments.require(call.name, 0, "iterable"));
    for (const Value& item : items) requireText(item, call.name);
    return Value{joinValues(call.runtime, items, call.text())};
}

Value formatMap(const MethodCall& call) {
    const Map* map = call.arguments.require(call.name, 0, "mapping").asMap();
    if (!map) fail("format_map needs a map");
    Arguments values;
    for (const auto& [key, value] : map->entries)
        if (const Text* text = key.asText()) values.named.emplace_back(text->bytes(), value);
    return Value{formatBraces(call.runtime, call.text(), values)};
}

template <bool (*Holds)(int32_t codePoint)>
Value allCharacters(const MethodCall& call) {
    const std::string& bytes = call.text().bytes();
    for (size_t i = 0; i < bytes.size();) {
        const CodePoint point = codePointAt(bytes, i);
        if (!Holds(point.value)) return Value::boolean(false);
        i += point.length;
    }
    return Value::boolean(!bytes.empty());
}

// At least one character of the wanted case and none of the other.
Value hasOnlyCase(const MethodCall& call, bool (*isWanted)(int32_t), bool (*isOther)(int32_t)) {
    const std::string& bytes = call.text().bytes();
    bool hasWanted = false;
    for (size_t i = 0; i < bytes.size();) {
        const CodePoint point = codePointAt(bytes, i);
        if (isOther(point.value) || isTitle(point.value)) return Value::boolean(false);
        hasWanted = hasWanted || isWanted(point.value);
        i += point.length;
    }
    return Value::boolean(hasWanted);
}

// Upper case begins each word and nothing else.
Value isTitled(const MethodCall& call) {
    const std::string& bytes = call.text().bytes();
    bool isInsideWord = false;
    bool hasCased = false;
    for (size_t i = 0; i < bytes.size();) {
        const CodePoint point = codePointAt(bytes, i);
        const bool isStart = isUpper(point.value) || isTitle(point.value);
        if (isStart ? isInsideWord : isLower(point.value) && !isInsideWord) return Value::boolean(false);
        isInsideWord = isStart || isLower(point.value);
        hasCased = hasCased || isInsideWord;
        i += point.length;
    }
    return Value::boolean(hasCased);
}

template <Case Target>
Value changeCase(const MethodCall& call) {
    return Value{mapCase(call.text(), Target)};
}

constexpr MethodEntry kTextMethods[] = {
    {"strip", 1, [](const MethodCall& call) { return strip(call, Ends::Both); }},
    {"lstrip", 1, [](const MethodCall& call) { return strip(call, Ends::Left); }},
    {"rstrip", 1, [](const MethodCall& call) { return strip(call, Ends::Right); }},
    {"split", 2,
     [](const MethodCall& call) {
         return Value::list(
             splitText(call.runtime, call.text(), call.optionalText(0, "sep"), call.integerOr(1, "maxsplit", -1)));
     },
     "sep maxsplit"},
    {"rsplit", 2,
     [](const MethodCall& call) {
         return Value::list(splitTextFromRight(call.runtime, call.text(), call.optionalText(0, "sep"),
                                               call.integerOr(1, "maxsplit", -1)));
     },
     "sep maxsplit"},
    {"splitlines", 1, splitLinesMethod, "keepends"},
    {"startswith", 3, [](const MethodCall& call) { return hasAffix(call, true); }},
    {"endswith", 3, [](const MethodCall& call) { return hasAffix(call, false); }},
    {"replace", 3,
     [](const MethodCall& call) {
         return Value{replaceText(call.runtime, call.text(), call.textArgument(0, "old").bytes(),
                                  call.textArgument(1, "new"), call.integerOr(2, "count", -1))};
     },
     "count"},
    {"upper", 0, changeCase<Case::Upper>},
    {"lower", 0, changeCase<Case::Lower>},
    {"casefold", 0, changeCase<Case::Fold>},
    {"swapcase", 0, swapCase},
    {"title", 0, [](const MethodCall& call) { return Value{titleCase(call.text())}; }},
    {"capitalize", 0, [](const MethodCall& call) { return Value{capitalize(call.text())}; }},
    {"join", 1, joinMethod},
    {"format", SIZE_MAX,
     [](const MethodCall& call) { return Value{formatBraces(call.runtime, call.text(), call.arguments)}; }, "*"},
    {"format_map", 1, formatMap},
    {"find", 3, [](const MethodCall& call) { return Value::integer(findText(call, false)); }},
    {"rfind", 3, [](const MethodCall& call) { return Value::integer(findText(call, true)); }},
    {"index", 3, [](const MethodCall& call) { return findOrFail(call, false); }},
    {"rindex", 3, [](const MethodCall& call) { return findOrFail(call, true); }},
    {"count", 3, countText},
    {"partition", 1, [](const MethodCall& call) { return partition(call, false); }},
    {"rpartition", 1, [](const MethodCall& call) { return partition(call, true); }},
    {"removeprefix", 1, [](const MethodCall& call) { return removeAffix(call, true); }},
    {"removesuffix", 1, [](const MethodCall& call) { return removeAffix(call, false); }},
    {"ljust", 2, [](const MethodCall& call) { return pad(call, Ends::Right); }},
    {"rjust", 2, [](const MethodCall& call) { return pad(call, Ends::Left); }},
    {"center", 2, [](const MethodCall& call) { return pad(call, Ends::Both); }},
    {"zfill", 1, zeroFill},
    {"isdigit", 0, allCharacters<isDigit>},
    {"isdecimal", 0, allCharacters<isDecimal>},
    {"isnumeric", 0, allCharacters<isNumeric>},
    {"isalpha", 0, allCharacters<isAlphabetic>},
    {"isalnum", 0, allCharacters<[](int32_t c) { return isAlphabetic(c) || isNumeric(c); }>},
    {"isspace", 0, allCharacters<isSpace>},
    {"isascii", 0,
     [](const MethodCall& call) {
         const std::string& bytes = call.text().bytes();
         return Value::boolean(std::all_of(bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) == 0; }));
     }},
    {"isupper", 0, [](const MethodCall& call) { return hasOnlyCase(call, isUpper, isLower); }},
    {"islower", 0, [](const MethodCall& call) { return hasOnlyCase(call, isLower, isUpper); }},
    {"istitle", 0, isTitled},
};

}  // namespace

std::span<const MethodEntry> textMethods() {
    return kTextMethods;
}

}  // namespace wb::core::jinja
