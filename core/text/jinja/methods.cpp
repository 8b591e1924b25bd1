// SPDX-License-Identifier: Apache-2.0
// Methods of texts, lists, maps and loops.
#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

struct Call {
    Runtime& runtime;
    const Value& self;
    Arguments& arguments;
    std::string_view name;

    const Text& text() const { return *self.asText(); }
    const Text& textArgument(size_t index, std::string_view argument) const {
        return requireText(arguments.require(name, index, argument), name);
    }
    // Absent and None mean the same for Python's optional text arguments.
    const Text* optionalText(size_t index, std::string_view argument) const {
        const Value* value = arguments.find(index, argument);
        return value && !value->isNone() ? &requireText(*value, name) : nullptr;
    }
    int64_t integerOr(size_t index, std::string_view argument, int64_t absent) const {
        const Value* value = arguments.find(index, argument);
        return value ? requireInteger(*value, name) : absent;
    }
};

struct MethodEntry {
    std::string_view name;
    Value (*call)(const Call& call);
};

template <typename Predicate>
Value allCharacters(const Call& call, Predicate predicate) {
    const std::string& bytes = call.text().bytes();
    for (size_t i = 0; i < bytes.size();) {
        const CodePoint point = codePointAt(bytes, i);
        if (!predicate(point.value)) return Value::boolean(false);
        i += point.length;
    }
    return Value::boolean(!bytes.empty());
}

// At least one cased character, and none that the mapping changes.
Value hasOnlyCase(const Call& call, Case wanted) {
    const std::string& bytes = call.text().bytes();
    bool hasCased = false;
    for (size_t i = 0; i < bytes.size(); i += codePointAt(bytes, i).length)
        hasCased = hasCased || isCased(codePointAt(bytes, i).value);
    return Value::boolean(hasCased && mapCase(call.text(), wanted).bytes() == bytes);
}

// str.startswith and endswith: one text, or any of a tuple.
Value hasAffix(const Call& call, bool atStart) {
    const Value& wanted = call.arguments.require(call.name, 0, "prefix");
    const std::string_view bytes = call.text().bytes();
    const auto matches = [&](const Value& candidate) {
        const std::string& affix = requireText(candidate, call.name).bytes();
        return atStart ? bytes.starts_with(affix) : bytes.ends_with(affix);
    };
    if (const List* list = wanted.asList())
        return Value::boolean(std::any_of(list->items.begin(), list->items.end(), matches));
    return Value::boolean(matches(wanted));
}

Value strip(const Call& call, Ends ends) {
    call.arguments.expect(call.name, 1);
    return Value{stripText(call.text(), ends, call.optionalText(0, "chars"))};
}

// Position in code points of the first or last match, -1 if there is none.
int64_t findText(const Call& call, bool fromRight) {
    const std::string& bytes = call.text().bytes();
    const std::string& wanted = call.textArgument(0, "sub").bytes();
    const size_t match = fromRight ? bytes.rfind(wanted) : bytes.find(wanted);
    if (match == std::string::npos) return -1;
    return static_cast<int64_t>(codePointCount(std::string_view{bytes}.substr(0, match)));
}

Value findOrFail(const Call& call) {
    const int64_t place = findText(call, false);
    if (place < 0) fail("index: the text does not occur");
    return Value::integer(place);
}

Value countText(const Call& call) {
    const std::string& bytes = call.text().bytes();
    const std::string& wanted = call.textArgument(0, "sub").bytes();
    if (wanted.empty()) return Value::integer(static_cast<int64_t>(codePointCount(bytes)) + 1);
    int64_t count = 0;
    for (size_t match = bytes.find(wanted); match != std::string::npos;
         match = bytes.find(wanted, match + wanted.size()))
        ++count;
    return Value::integer(count);
}

Value partition(const Call& call, bool fromRight) {
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

Value removeAffix(const Call& call, bool atStart) {
    const Text& text = call.text();
    const std::string& affix = call.textArgument(0, "affix").bytes();
    if (atStart && text.bytes().starts_with(affix)) return Value{text.slice(affix.size(), text.size())};
    if (!atStart && text.bytes().ends_with(affix)) return Value{text.slice(0, text.size() - affix.size())};
    return call.self;
}

Value splitLinesMethod(const Call& call) {
    const Value* keepEnds = call.arguments.find(0, "keepends");
    std::vector<Value> lines;
    for (Text& line : splitLines(call.text(), keepEnds && keepEnds->truthy())) lines.emplace_back(std::move(line));
    return Value::list(std::move(lines));
}

Value swapCase(const Call& call) {
    const Text& text = call.text();
    Text out;
    for (size_t i = 0; i < text.size();) {
        const size_t length = codePointAt(text.bytes(), i).length;
        const Text character = text.slice(i, i + length);
        const Text upper = mapCase(character, Case::Upper);
        out.append(upper.bytes() == character.bytes() ? mapCase(character, Case::Lower) : upper);
        i += length;
    }
    return Value{std::move(out)};
}

Value pad(const Call& call, bool padLeft) {
    const int64_t width = call.integerOr(0, "width", 0);
    const auto length = static_cast<int64_t>(codePointCount(call.text().bytes()));
    const Text* fill = call.optionalText(1, "fillchar");
    if (fill && codePointCount(fill->bytes()) != 1) fail(fmt::format("{}: the fill must be one character", call.name));
    const Text unit = fill ? *fill : Text{" "};
    const auto missing = static_cast<size_t>(std::max<int64_t>(width - length, 0));
    call.runtime.checkTextSize(std::min(missing, SIZE_MAX / 8) * unit.size());
    call.runtime.chargeText(missing * unit.size() + call.text().size());
    Text out = padLeft ? Text{} : call.text();
    for (size_t i = 0; i < missing; ++i) out.append(unit);
    if (padLeft) out.append(call.text());
    return Value{std::move(out)};
}

constexpr MethodEntry kTextMethods[] = {
    {"strip", [](const Call& call) { return strip(call, Ends::Both); }},
    {"lstrip", [](const Call& call) { return strip(call, Ends::Left); }},
    {"rstrip", [](const Call& call) { return strip(call, Ends::Right); }},
    {"split",
     [](const Call& call) {
         return Value::list(
             splitText(call.runtime, call.text(), call.optionalText(0, "sep"), call.integerOr(1, "maxsplit", -1)));
     }},
    {"rsplit",
     [](const Call& call) {
         return Value::list(splitTextFromRight(call.runtime, call.text(), call.optionalText(0, "sep"),
                                               call.integerOr(1, "maxsplit", -1)));
     }},
    {"splitlines", splitLinesMethod},
    {"startswith", [](const Call& call) { return hasAffix(call, true); }},
    {"endswith", [](const Call& call) { return hasAffix(call, false); }},
    {"replace",
     [](const Call& call) {
         return Value{replaceText(call.runtime, call.text(), call.textArgument(0, "old").bytes(),
                                  call.textArgument(1, "new"), call.integerOr(2, "count", -1))};
     }},
    {"upper", [](const Call& call) { return Value{mapCase(call.text(), Case::Upper)}; }},
    {"lower", [](const Call& call) { return Value{mapCase(call.text(), Case::Lower)}; }},
    {"casefold", [](const Call& call) { return Value{mapCase(call.text(), Case::Lower)}; }},
    {"swapcase", swapCase},
    {"title", [](const Call& call) { return Value{titleCase(call.text())}; }},
    {"capitalize", [](const Call& call) { return Value{capitalize(call.text())}; }},
    {"join",
     [](const Call& call) {
         const auto items = iterate(call.runtime, call.arguments.require(call.name, 0, "iterable"));
         for (const Value& item : items) requireText(item, call.name);
         return Value{joinValues(call.runtime, items, call.text())};
     }},
    {"format", [](const Call& call) { return Value{formatBraces(call.runtime, call.text(), call.arguments)}; }},
    {"find", [](const Call& call) { return Value::integer(findText(call, false)); }},
    {"rfind", [](const Call& call) { return Value::integer(findText(call, true)); }},
    {"index", findOrFail},
    {"count", countText},
    {"partition", [](const Call& call) { return partition(call, false); }},
    {"rpartition", [](const Call& call) { return partition(call, true); }},
    {"removeprefix", [](const Call& call) { return removeAffix(call, true); }},
    {"removesuffix", [](const Call& call) { return removeAffix(call, false); }},
    {"ljust", [](const Call& call) { return pad(call, false); }},
    {"rjust", [](const Call& call) { return pad(call, true); }},
    {"isdigit", [](const Call& call) { return allCharacters(call, isDigit); }},
    {"isalpha", [](const Call& call) { return allCharacters(call, isAlphabetic); }},
    {"isalnum",
     [](const Call& call) { return allCharacters(call, [](int32_t c) { return isAlphabetic(c) || isDigit(c); }); }},
    {"isspace", [](const Call& call) { return allCharacters(call, isSpace); }},
    {"isupper", [](const Call& call) { return hasOnlyCase(call, Case::Upper); }},
    {"islower", [](const Call& call) { return hasOnlyCase(call, Case::Lower); }},
};

Value mapItems(const Call& call) {
    std::vector<Value> items;
    for (const auto& [key, value] : call.self.asMap()->entries) items.push_back(Value::tuple({key, value}));
    call.runtime.spendBytes(items.size() * 8 * sizeof(Value));
    return Value::list(std::move(items));
}

Value mapGet(const Call& call) {
    const Value& wanted = call.arguments.require(call.name, 0, "key");
    for (const auto& [key, value] : call.self.asMap()->entries)
        if (valuesEqual(call.runtime, key, wanted)) return value;
    const Value* absent = call.arguments.find(1, "default");
    return absent ? *absent : Value::none();
}

Value mapValues(const Call& call) {
    std::vector<Value> values;
    for (const auto& [key, value] : call.self.asMap()->entries) values.push_back(value);
    call.runtime.spendBytes(values.size() * sizeof(Value));
    return Value::list(std::move(values));
}

constexpr MethodEntry kMapMethods[] = {
    {"items", mapItems},
    {"keys", [](const Call& call) { return Value::list(iterate(call.runtime, call.self)); }},
    {"values", mapValues},
    {"get", mapGet},
    {"copy", [](const Call& call) { return call.self; }},
};

Value listIndex(const Call& call) {
    const Value& wanted = call.arguments.require(call.name, 0, "value");
    const auto& items = call.self.asList()->items;
    for (size_t i = 0; i < items.size(); ++i)
        if (valuesEqual(call.runtime, items[i], wanted)) return Value::integer(static_cast<int64_t>(i));
    fail("index: the value is not in the list");
}

Value listCount(const Call& call) {
    const Value& wanted = call.arguments.require(call.name, 0, "value");
    const auto& items = call.self.asList()->items;
    return Value::integer(std::count_if(items.begin(), items.end(),
                                        [&](const Value& item) { return valuesEqual(call.runtime, item, wanted); }));
}

constexpr MethodEntry kListMethods[] = {
    {"index", listIndex},
    {"count", listCount},
    {"append", [](const Call&) -> Value { fail("lists cannot be changed in place; write {% set x = x + [item] %}"); }},
};

Value loopCycle(const Call& call) {
    const auto& choices = call.arguments.positional;
    if (choices.empty()) fail("loop.cycle needs at least one value");
    return choices[(*call.self.as<LoopPtr>())->index % choices.size()];
}

Value loopChanged(const Call& call) {
    Loop& loop = **call.self.as<LoopPtr>();
    for (const Value& value : call.arguments.positional)
        if (value.holdsNamespace()) fail("loop.changed cannot watch a namespace or a loop");
    const Value now = Value::list(call.arguments.positional);
    const bool isSame = loop.hasChanged && valuesEqual(call.runtime, now, Value::list(loop.lastChanged));
    loop.lastChanged = call.arguments.positional;
    loop.hasChanged = true;
    return Value::boolean(!isSame);
}

constexpr MethodEntry kLoopMethods[] = {{"cycle", loopCycle}, {"changed", loopChanged}};

const MethodEntry* findMethod(const Value& object, std::string_view name) {
    std::span<const MethodEntry> methods;
    if (object.asText()) methods = kTextMethods;
    if (object.asMap()) methods = kMapMethods;
    if (object.asList()) methods = kListMethods;
    if (object.as<LoopPtr>()) methods = kLoopMethods;
    for (const MethodEntry& entry : methods)
        if (entry.name == name) return &entry;
    return nullptr;
}

}  // namespace

bool hasMethod(const Value& object, std::string_view name) {
    return findMethod(object, name) != nullptr;
}

Value callMethod(Runtime& runtime, const Value& object, std::string_view name, Arguments& arguments) {
    const MethodEntry* method = findMethod(object, name);
    if (!method) fail(fmt::format("a value of type {} has no method '{}'", object.typeName(), name));
    if (const Text* text = object.asText()) runtime.spendBytes(text->size());
    return method->call(Call{runtime, object, arguments, name});
}

}  // namespace wb::core::jinja
