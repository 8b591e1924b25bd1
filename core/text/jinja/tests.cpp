// SPDX-License-Identifier: Apache-2.0
// The tests of "value is name": what a value is, and how it compares.
#include <fmt/format.h>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

const Value& other(Arguments& arguments, std::string_view test) {
    return arguments.require(test, 0, "other");
}

bool isEqual(Runtime& runtime, const Value& value, Arguments& arguments) {
    return valuesEqual(runtime, value, other(arguments, "equalto"));
}

bool isUnequal(Runtime& runtime, const Value& value, Arguments& arguments) {
    return !valuesEqual(runtime, value, other(arguments, "ne"));
}

bool isLess(Runtime& runtime, const Value& value, Arguments& arguments) {
    return compareValues(runtime, value, other(arguments, "lt")) < 0;
}

bool isLessOrEqual(Runtime& runtime, const Value& value, Arguments& arguments) {
    return compareValues(runtime, value, other(arguments, "le")) <= 0;
}

bool isGreater(Runtime& runtime, const Value& value, Arguments& arguments) {
    return compareValues(runtime, value, other(arguments, "gt")) > 0;
}

bool isGreaterOrEqual(Runtime& runtime, const Value& value, Arguments& arguments) {
    return compareValues(runtime, value, other(arguments, "ge")) >= 0;
}

bool leaves(Runtime& runtime, const Value& value, const Value& divisor, int64_t rest) {
    return valuesEqual(runtime, applyBinary(runtime, "%", value, divisor), Value::integer(rest));
}

// What has a length and items by number or key; undefined counts, as an empty one.
bool isSequence(const Value& value) {
    const List* list = value.asList();
    return value.asMap() || value.asText() || value.isUndefined() || (list && list->isSequence());
}

bool isIterable(const Value& value) {
    return isSequence(value) || value.asList() || value.as<GeneratorPtr>() || value.as<LoopPtr>();
}

bool isCallable(const Value& value) {
    const auto* loop = value.as<LoopPtr>();
    return value.as<CallablePtr>() || value.isUndefined() || loop;
}

bool isSame(Runtime& runtime, const Value& value, Arguments& arguments) {
    const Value& wanted = other(arguments, "sameas");
    return std::string_view{value.typeName()} == wanted.typeName() && valuesEqual(runtime, value, wanted);
}

bool hasCaseOnly(Runtime& runtime, const Value& value, std::string_view method) {
    Arguments none;
    const Value text{toText(runtime, value)};
    return callMethod(runtime, text, method, none).truthy();
}

bool isNameOf(const Value& value, auto find) {
    checkKey(value);
    return value.asText() && find(value.asText()->bytes()) != nullptr;
}

constexpr TestEntry kTests[] = {
    {"defined", [](Runtime&, const Value& value, Arguments&) { return !value.isUndefined(); }},
    {"undefined", [](Runtime&, const Value& value, Arguments&) { return value.isUndefined(); }},
    {"none", [](Runtime&, const Value& value, Arguments&) { return value.isNone(); }},
    {"boolean", [](Runtime&, const Value& value, Arguments&) { return value.as<bool>() != nullptr; }},
    {"true", [](Runtime&, const Value& value, Arguments&) { return value.as<bool>() && *value.as<bool>(); }},
    {"false", [](Runtime&, const Value& value, Arguments&) { return value.as<bool>() && !*value.as<bool>(); }},
    {"integer", [](Runtime&, const Value& value, Arguments&) { return value.as<int64_t>() != nullptr; }},
    {"float", [](Runtime&, const Value& value, Arguments&) { return value.as<double>() != nullptr; }},
    {"number", [](Runtime&, const Value& value, Arguments&) { return value.asNumber().has_value(); }},
    {"string", [](Runtime&, const Value& value, Arguments&) { return value.asText() != nullptr; }},
    {"mapping", [](Runtime&, const Value& value, Arguments&) { return value.asMap() != nullptr; }},
    {"sequence", [](Runtime&, const Value& value, Arguments&) { return isSequence(value); }},
    {"iterable", [](Runtime&, const Value& value, Arguments&) { return isIterable(value); }},
    {"callable", [](Runtime&, const Value& value, Arguments&) { return isCallable(value); }},
    {"odd",
     [](Runtime& runtime, const Value& value, Arguments&) { return leaves(runtime, value, Value::integer(2), 1); }},
    {"even",
     [](Runtime& runtime, const Value& value, Arguments&) { return leaves(runtime, value, Value::integer(2), 0); }},
    {"divisibleby", [](Runtime& runtime, const Value& value,
                       Arguments& a) { return leaves(runtime, value, other(a, "divisibleby"), 0); }},
    {"lower", [](Runtime& runtime, const Value& value, Arguments&) { return hasCaseOnly(runtime, value, "islower"); }},
    {"upper", [](Runtime& runtime, const Value& value, Arguments&) { return hasCaseOnly(runtime, value, "isupper"); }},
    {"filter", [](Runtime&, const Value& value, Arguments&) { return isNameOf(value, findFilter); }},
    {"test", [](Runtime&, const Value& value, Arguments&) { return isNameOf(value, findTest); }},
    {"in", [](Runtime& runtime, const Value& value,
              Arguments& arguments) { return containsValue(runtime, other(arguments, "in"), value); }},
    {"sameas", isSame},
    {"equalto", isEqual},
    {"eq", isEqual},
    {"==", isEqual},
    {"ne", isUnequal},
    {"!=", isUnequal},
    {"lt", isLess},
    {"lessthan", isLess},
    {"<", isLess},
    {"le", isLessOrEqual},
    {"<=", isLessOrEqual},
    {"gt", isGreater},
    {"greaterthan", isGreater},
    {">", isGreater},
    {"ge", isGreaterOrEqual},
    {">=", isGreaterOrEqual},
};

}  // namespace

std::span<const TestEntry> testEntries() {
    return kTests;
}

const TestEntry* findTest(std::string_view name) {
    for (const TestEntry& entry : kTests)
        if (entry.name == name) return &entry;
    return nullptr;
}

}  // namespace wb::core::jinja
