// SPDX-License-Identifier: Apache-2.0
// Attributes, items, slices and iteration, with Python's rules.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/interpreter.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

[[noreturn]] void failUndefined(const Value& object) {
    fail(fmt::format("'{}' is undefined", object.as<Undefined>()->name));
}

Value loopAttribute(const Loop& loop, std::string_view name) {
    const auto index = static_cast<int64_t>(loop.index);
    const auto length = static_cast<int64_t>(loop.items.size());
    if (name == "index") return Value::integer(index + 1);
    if (name == "index0") return Value::integer(index);
    if (name == "revindex") return Value::integer(length - index);
    if (name == "revindex0") return Value::integer(length - index - 1);
    if (name == "first") return Value::boolean(index == 0);
    if (name == "last") return Value::boolean(index + 1 == length);
    if (name == "length") return Value::integer(length);
    if (name == "depth") return Value::integer(loop.depth);
    if (name == "depth0") return Value::integer(loop.depth - 1);
    if (name == "previtem" && index > 0) return loop.items[loop.index - 1];
    if (name == "nextitem" && index + 1 < length) return loop.items[loop.index + 1];
    return Value::undefined(fmt::format("loop.{}", name));
}

Value macroArguments(const Callable& callable) {
    std::vector<Value> names;
    for (const std::string& parameter : callable.macro->signature->parameters) names.push_back(Value::text(parameter));
    return Value::tuple(std::move(names));
}

Value boundMethod(const Value& object, std::string_view name) {
    auto callable = std::make_shared<Callable>();
    callable->self = object;
    callable->name = std::string{name};
    return Value::Data{CallablePtr{std::move(callable)}};
}

// Length of a text in code points, or of a list in items.
int64_t sequenceLength(const Value& object) {
    const Text* text = object.asText();
    return static_cast<int64_t>(text ? codePointCount(text->bytes()) : object.asList()->items.size());
}

Value characterAt(const Text& text, int64_t index) {
    size_t position = 0;
    for (int64_t i = 0; i < index; ++i) position += codePointAt(text.bytes(), position).length;
    return Value{text.slice(position, position + codePointAt(text.bytes(), position).length)};
}

Value sequenceItem(Runtime& runtime, const Value& object, int64_t index) {
    if (const Text* text = object.asText()) runtime.spendSteps(text->size() / 64);
    const int64_t length = sequenceLength(object);
    const int64_t place = index < 0 ? index + length : index;
    if (place < 0 || place >= length) return Value::undefined(fmt::format("item {} of {}", index, length));
    if (const Text* text = object.asText()) return characterAt(*text, place);
    return object.asList()->items[static_cast<size_t>(place)];
}

// Start, stop and step of a slice as Python clamps them.
struct SliceBounds {
    int64_t start = 0;
    int64_t stop = 0;
    int64_t step = 1;
};

int64_t clampBound(const Value& bound, int64_t length, int64_t absent, int64_t lowest, int64_t highest) {
    if (bound.isNone()) return absent;
    const auto value = bound.asInteger();
    if (!value) fail(fmt::format("a slice bound must be a whole number, not {}", bound.typeName()));
    const int64_t place = *value < 0 ? std::max(*value, -length - 1) + length : *value;
    return std::clamp(place, lowest, highest);
}

SliceBounds resolveSlice(int64_t length, const Value& start, const Value& stop, const Value& step) {
    SliceBounds bounds;
    if (!step.isNone()) {
        if (!step.asInteger()) fail(fmt::format("a slice step must be a whole number, not {}", step.typeName()));
        constexpr int64_t kMaxStep = int64_t{1} << 32;  // beyond any length, and no sum with one overflows
        bounds.step = std::clamp(*step.asInteger(), -kMaxStep, kMaxStep);
    }
    if (bounds.step == 0) fail("a slice step must not be zero");
    const bool isForward = bounds.step > 0;
    const int64_t lowest = isForward ? 0 : -1;
    const int64_t highest = isForward ? length : length - 1;
    bounds.start = clampBound(start, length, isForward ? 0 : length - 1, lowest, highest);
    bounds.stop = clampBound(stop, length, isForward ? length : -1, lowest, highest);
    return bounds;
}

// The numbers are all there already; only the bounds that printing shows have to be found.
Value sliceRange(const List& range, const SliceBounds& bounds, std::vector<Value> items) {
    auto out = std::make_shared<List>();
    out->kind = ListKind::Range;
    out->items = std::move(items);
    const auto& [start, stop, step] = range.range;
    out->range = {start + bounds.start * step, start + bounds.stop * step, step * bounds.step};
    return Value::Data{ListPtr{std::move(out)}};
}

Text sliceText(Runtime& runtime, const Text& text, const SliceBounds& bounds, const std::vector<size_t>& starts) {
    if (bounds.step == 1) {
        if (bounds.start >= bounds.stop) return {};
        return text.slice(starts[static_cast<size_t>(bounds.start)], starts[static_cast<size_t>(bounds.stop)]);
    }
    Text out;
    for (int64_t i = bounds.start; bounds.step > 0 ? i < bounds.stop : i > bounds.stop; i += bounds.step) {
        runtime.spendSteps(1);
        out.append(text, starts[static_cast<size_t>(i)], starts[static_cast<size_t>(i) + 1]);
    }
    return out;
}

}  // namespace

Value getAttribute(const Value& object, std::string_view name) {
    if (object.isUndefined()) failUndefined(object);
    if (hasMethod(object, name)) return boundMethod(object, name);
    // Such a method hides the key of the same name, although it cannot be called.
    if (isChangingMethod(object, name)) return Value::undefined(fmt::format("{}.{}", object.typeName(), name));
    const Value* found = nullptr;
    if (const Map* map = object.asMap()) found = map->find(name);
    if (const auto* space = object.as<NamespacePtr>()) found = (*space)->find(name);
    if (const List* list = object.asList(); list && list->kind == ListKind::Group) {
        if (name == "grouper") return list->items[0];
        if (name == "list") return list->items[1];
    }
    if (const auto* loop = object.as<LoopPtr>()) return loopAttribute(**loop, name);
    if (const auto* callable = object.as<CallablePtr>(); callable && (*callable)->macro) {
        if (name == "name") return Value::text((*callable)->name);
        if (name == "arguments") return macroArguments(**callable);
    }
    return found ? *found : Value::undefined(std::string{name});
}

Value getItem(Runtime& runtime, const Value& object, const Value& index) {
    if (object.isUndefined()) failUndefined(object);
    if (const Map* map = object.asMap()) {
        for (const auto& [key, value] : map->entries)
            if (valuesEqual(runtime, key, index)) return value;
    } else if (object.asText() || (object.asList() && object.asList()->isSequence())) {
        if (const auto place = index.asInteger()) return sequenceItem(runtime, object, *place);
    }
    // As Jinja does: what is no item may be an attribute.
    if (const Text* name = index.asText()) return getAttribute(object, name->bytes());
    return Value::undefined(toLiteral(runtime, index).bytes());
}

void checkKey(const Value& key) {
    const List* list = key.asList();
    if (key.asMap() || (list && !list->isTuple() && list->kind != ListKind::Range))
        fail(fmt::format("a {} cannot be the key of a map", key.typeName()));
    if (list && list->isTuple())
        for (const Value& item : list->items) checkKey(item);
}

void setEntry(Runtime& runtime, std::vector<std::pair<Value, Value>>& entries, Value key, Value value) {
    checkKey(key);
    for (auto& [name, current] : entries) {
        if (!valuesEqual(runtime, name, key)) continue;
        current = std::move(value);
        return;
    }
    entries.emplace_back(std::move(key), std::move(value));
}

void checkAttributeName(std::string_view name) {
    if (name.starts_with('_'))
        fail(fmt::format("a namespace cannot have the attribute '{}': names must not begin with an underscore", name));
}

Value getSlice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step) {
    if (object.isUndefined()) failUndefined(object);
    if (const Text* text = object.asText()) {
        runtime.spendBytes(text->size());
        const std::vector<size_t> starts = codePointStarts(text->bytes());
        const auto bounds = resolveSlice(static_cast<int64_t>(starts.size()) - 1, start, stop, step);
        return Value{sliceText(runtime, *text, bounds, starts)};
    }
    const List* list = object.asList();
    if (!list || !list->isSequence()) fail(fmt::format("a value of type {} cannot be sliced", object.typeName()));
    const auto bounds = resolveSlice(static_cast<int64_t>(list->items.size()), start, stop, step);
    std::vector<Value> items;
    for (int64_t i = bounds.start; bounds.step > 0 ? i < bounds.stop : i > bounds.stop; i += bounds.step)
        items.push_back(list->items[static_cast<size_t>(i)]);
    runtime.spendBytes(items.size() * sizeof(Value));
    if (list->kind == ListKind::Range) return sliceRange(*list, bounds, std::move(items));
    return list->isTuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

std::vector<Value> iterate(Runtime& runtime, const Value& value) {
    if (const List* list = value.asList()) {
        runtime.spendBytes(list->items.size() * sizeof(Value));
        return list->items;
    }
    std::vector<Value> items;
    if (const auto* generator = value.as<GeneratorPtr>()) {
        Generator& source = **generator;
        items.assign(source.items.begin() + static_cast<std::ptrdiff_t>(source.next), source.items.end());
        source.next = source.items.size();
    } else if (const Map* map = value.asMap()) {
        for (const auto& [key, entry] : map->entries) items.push_back(key);
    } else if (const Text* text = value.asText()) {
        const std::vector<size_t> starts = codePointStarts(text->bytes());
        runtime.spendBytes(starts.size() * 200);  // each character becomes a text of its own
        for (size_t i = 0; i + 1 < starts.size(); ++i) items.emplace_back(text->slice(starts[i], starts[i + 1]));
    } else if (!value.isUndefined()) {
        fail(fmt::format("a value of type {} cannot be iterated", value.typeName()));
    }
    runtime.spendBytes(items.size() * sizeof(Value));
    return items;
}

Value getPath(Runtime& runtime, const Value& object, const Value& path, const Value* absent) {
    const auto step = [&](const Value& from, const Value& index) {
        const Value found = getItem(runtime, from, index);
        return found.isUndefined() && absent ? *absent : found;
    };
    const Text* text = path.asText();
    if (!text) return step(object, path);
    Value current = object;
    std::string_view rest = text->bytes();
    while (true) {
        const size_t dot = rest.find('.');
        const std::string_view part = rest.substr(0, dot);
        int64_t index = 0;
        const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
        const bool isIndex = !part.empty() && parsed.ec == std::errc{} && parsed.ptr == part.data() + part.size();
        current = step(current, isIndex ? Value::integer(index) : Value::text(std::string{part}));
        if (dot == std::string_view::npos) return current;
        rest.remove_prefix(dot + 1);
    }
}

}  // namespace wb::core::jinja
