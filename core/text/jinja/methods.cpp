// SPDX-License-Identifier: Apache-2.0
// Methods of lists, maps and loops; those of texts are in methods_text.cpp.
#include "core/text/jinja/methods.h"

#include <fmt/format.h>

#include <algorithm>

namespace wb::core::jinja {
namespace {

Value mapItems(const MethodCall& call) {
    std::vector<Value> items;
    for (const auto& [key, value] : call.self.asMap()->entries) items.push_back(Value::tuple({key, value}));
    call.runtime.spendBytes(items.size() * 8 * sizeof(Value));
    return Value::view(ListKind::Items, std::move(items));
}

Value mapKeys(const MethodCall& call) {
    return Value::view(ListKind::Keys, iterate(call.runtime, call.self));
}

Value mapValues(const MethodCall& call) {
    std::vector<Value> values;
    for (const auto& [key, value] : call.self.asMap()->entries) values.push_back(value);
    call.runtime.spendBytes(values.size() * sizeof(Value));
    return Value::view(ListKind::Values, std::move(values));
}

Value mapGet(const MethodCall& call) {
    const Value& wanted = call.arguments.require(call.name, 0, "key");
    checkKey(wanted);
    for (const auto& [key, value] : call.self.asMap()->entries)
        if (valuesEqual(call.runtime, key, wanted)) return value;
    const Value* absent = call.arguments.find(1, "default");
    return absent ? *absent : Value::none();
}

constexpr MethodEntry kMapMethods[] = {
    {"items", 0, mapItems},
    {"keys", 0, mapKeys},
    {"values", 0, mapValues},
    {"get", 2, mapGet},
    {"copy", 0, [](const MethodCall& call) { return call.self; }},
};

Value listIndex(const MethodCall& call) {
    const Value& wanted = call.arguments.require(call.name, 0, "value");
    const auto& items = call.self.asList()->items;
    for (size_t i = 0; i < items.size(); ++i)
        if (valuesEqual(call.runtime, items[i], wanted)) return Value::integer(static_cast<int64_t>(i));
    fail("index: the value is not in the list");
}

Value listCount(const MethodCall& call) {
    const Value& wanted = call.arguments.require(call.name, 0, "value");
    const auto& items = call.self.asList()->items;
    return Value::integer(std::count_if(items.begin(), items.end(),
                                        [&](const Value& item) { return valuesEqual(call.runtime, item, wanted); }));
}

constexpr MethodEntry kListMethods[] = {
    {"index", 1, listIndex},
    {"count", 1, listCount},
    {"copy", 0, [](const MethodCall& call) { return call.self; }},
};
constexpr size_t kMethodsOfTuples = 2;  // the first ones: tuples and ranges have no copy()

Value loopCycle(const MethodCall& call) {
    const auto& choices = call.arguments.positional;
    if (choices.empty()) fail("loop.cycle needs at least one value");
    return choices[(*call.self.as<LoopPtr>())->index % choices.size()];
}

Value loopChanged(const MethodCall& call) {
    Loop& loop = **call.self.as<LoopPtr>();
    for (const Value& value : call.arguments.positional)
        if (value.holdsNamespace()) fail("loop.changed cannot watch a namespace or a loop");
    const Value now = Value::list(call.arguments.positional);
    const bool isSame = loop.hasChanged && valuesEqual(call.runtime, now, Value::list(loop.lastChanged));
    loop.lastChanged = call.arguments.positional;
    loop.hasChanged = true;
    return Value::boolean(!isSame);
}

constexpr MethodEntry kLoopMethods[] = {{"cycle", SIZE_MAX, loopCycle}, {"changed", SIZE_MAX, loopChanged}};

const MethodEntry* findMethod(const Value& object, std::string_view name) {
    std::span<const MethodEntry> methods;
    if (object.asText()) methods = textMethods();
    if (object.asMap()) methods = kMapMethods;
    if (const List* list = object.asList(); list && list->isSequence())
        methods =
            std::span{kListMethods}.first(list->kind == ListKind::List ? std::size(kListMethods) : kMethodsOfTuples);
    if (object.as<LoopPtr>()) methods = kLoopMethods;
    for (const MethodEntry& entry : methods)
        if (entry.name == name) return &entry;
    return nullptr;
}

// One of the words of `list`, which are separated by single spaces.
bool isWordOf(std::string_view list, std::string_view word) {
    for (size_t at = list.find(word); at != std::string_view::npos; at = list.find(word, at + 1)) {
        const size_t end = at + word.size();
        if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
    }
    return false;
}

void checkArguments(const MethodEntry& method, const Arguments& arguments) {
    if (arguments.positional.size() > method.maxPositional)
        fail(fmt::format("{} takes at most {} argument(s), {} given", method.name, method.maxPositional,
                         arguments.positional.size()));
    if (method.named == "*") return;
    for (const auto& [name, value] : arguments.named)
        if (!isWordOf(method.named, name)) fail(fmt::format("{} has no argument named '{}'", method.name, name));
}

}  // namespace

bool hasMethod(const Value& object, std::string_view name) {
    return findMethod(object, name) != nullptr;
}

bool isChangingMethod(const Value& object, std::string_view name) {
    constexpr std::string_view kOfLists = "append clear extend insert pop remove reverse sort";
    constexpr std::string_view kOfMaps = "clear pop popitem setdefault update";
    const List* list = object.asList();
    return (list && list->kind == ListKind::List && isWordOf(kOfLists, name)) ||
           (object.asMap() && isWordOf(kOfMaps, name));
}

Value callMethod(Runtime& runtime, const Value& object, std::string_view name, Arguments& arguments) {
    const MethodEntry* method = findMethod(object, name);
    if (!method) fail(fmt::format("a value of type {} has no method '{}'", object.typeName(), name));
    checkArguments(*method, arguments);
    if (const Text* text = object.asText()) runtime.spendBytes(text->size());
    return method->call(MethodCall{runtime, object, arguments, name});
}

}  // namespace wb::core::jinja
