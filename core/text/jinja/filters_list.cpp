// SPDX-License-Identifier: Apache-2.0
// Filters on lists and maps.
#include <fmt/format.h>

#include <algorithm>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"
#include "core/text/jinja/unicode.h"

namespace wb::core::jinja {
namespace {

bool isTruthy(const Value* value) {
    return value && value->truthy();
}

// What sort, unique, min and max compare: the item or its attribute, texts without case unless asked for.
struct Key {
    std::vector<Value> paths;  // empty: the item itself
    bool isCaseSensitive = false;

    Value of(Runtime& runtime, const Value& item) const {
        if (paths.empty()) return fold(runtime, item);
        if (paths.size() == 1) return fold(runtime, getPath(runtime, item, paths[0]));
        std::vector<Value> parts;
        for (const Value& path : paths) parts.push_back(fold(runtime, getPath(runtime, item, path)));
        return Value::list(std::move(parts));
    }

    Value fold(Runtime& runtime, Value value) const {
        const Text* text = isCaseSensitive ? nullptr : value.asText();
        if (!text) return value;
        runtime.spendBytes(text->size());
        return Value{mapCase(*text, Case::Lower)};
    }
};

Key makeKey(const Value* attribute, const Value* isCaseSensitive) {
    Key key;
    key.isCaseSensitive = isTruthy(isCaseSensitive);
    if (!attribute || attribute->isNone()) return key;
    const Text* text = attribute->asText();
    if (!text) {
        key.paths.push_back(*attribute);
        return key;
    }
    for (size_t begin = 0; begin <= text->size();) {
        const size_t end = std::min(text->bytes().find(',', begin), text->size());
        key.paths.push_back(Value{text->slice(begin, end)});
        begin = end + 1;
    }
    return key;
}

Value length(Runtime& runtime, const Value& input, Arguments&) {
    if (const Text* text = input.asText()) {
        runtime.spendBytes(text->size());
        return Value::integer(static_cast<int64_t>(codePointCount(text->bytes())));
    }
    if (const List* list = input.asList()) return Value::integer(static_cast<int64_t>(list->items.size()));
    if (const Map* map = input.asMap()) return Value::integer(static_cast<int64_t>(map->entries.size()));
    if (input.isUndefined()) return Value::integer(0);
    if (const auto* loop = input.as<LoopPtr>()) return Value::integer(static_cast<int64_t>((*loop)->items.size()));
    fail(fmt::format("a value of type {} has no length", input.typeName()));
}

Value join(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("join", 2, {"d", "attribute"});
    const Value* separator = arguments.find(0, "d");
    const Value* attribute = arguments.find(1, "attribute");
    std::vector<Value> items = iterate(runtime, input);
    if (attribute && !attribute->isNone())
        for (Value& item : items) item = getPath(runtime, item, *attribute);
    return Value{joinValues(runtime, items, separator ? toText(runtime, *separator) : Text{})};
}

Value first(Runtime& runtime, const Value& input, Arguments&) {
    if (const auto* generator = input.as<GeneratorPtr>()) {
        Generator& source = **generator;
        if (source.next < source.items.size()) return source.items[source.next++];
    }
    const std::vector<Value> items = iterate(runtime, input);
    return items.empty() ? Value::undefined("the first item of an empty sequence") : items.front();
}

Value last(Runtime& runtime, const Value& input, Arguments&) {
    if (input.as<GeneratorPtr>()) fail("last does not work on a generator; put 'list' in between");
    const std::vector<Value> items = iterate(runtime, input);
    return items.empty() ? Value::undefined("the last item of an empty sequence") : items.back();
}

Value reverse(Runtime& runtime, const Value& input, Arguments&) {
    if (const Text* text = input.asText()) {
        runtime.spendBytes(text->size());
        const std::vector<size_t> starts = codePointStarts(text->bytes());
        Text out;
        for (size_t i = starts.size() - 1; i-- > 0;) out.append(*text, starts[i], starts[i + 1]);
        return Value{std::move(out)};
    }
    const bool isGenerator = input.as<GeneratorPtr>() != nullptr;
    std::vector<Value> items = iterate(runtime, input);
    std::reverse(items.begin(), items.end());
    // Python can walk all but a generator backwards without making a list.
    return isGenerator ? Value::list(std::move(items)) : Value::generator(std::move(items));
}

Value sortBy(Runtime& runtime, std::vector<Value> items, const Key& key, bool isReversed) {
    std::vector<std::pair<Value, Value>> keyed;
    for (Value& item : items) {
        Value itemKey = key.of(runtime, item);
        keyed.emplace_back(std::move(itemKey), std::move(item));
    }
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
        // Equal keys need no order, as two undefined ones have none.
        if (valuesEqual(runtime, a.first, b.first)) return false;
        return isReversed ? compareValues(runtime, b.first, a.first) < 0 : compareValues(runtime, a.first, b.first) < 0;
    });
    for (size_t i = 0; i < keyed.size(); ++i) items[i] = std::move(keyed[i].second);
    return Value::list(std::move(items));
}

Value sort(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("sort", 3, {"reverse", "case_sensitive", "attribute"});
    const Key key = makeKey(arguments.find(2, "attribute"), arguments.find(1, "case_sensitive"));
    return sortBy(runtime, iterate(runtime, input), key, isTruthy(arguments.find(0, "reverse")));
}

Value dictsort(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("dictsort", 3, {"case_sensitive", "by", "reverse"});
    if (!input.asMap()) fail(fmt::format("dictsort needs a map, not {}", input.typeName()));
    const Value* by = arguments.find(1, "by");
    const std::string side = by ? requireText(*by, "dictsort").bytes() : "key";
    if (side != "key" && side != "value") fail("dictsort: by must be 'key' or 'value'");
    Key key;
    key.isCaseSensitive = isTruthy(arguments.find(0, "case_sensitive"));
    key.paths.push_back(Value::integer(side == "key" ? 0 : 1));
    std::vector<Value> items;
    for (const auto& [name, value] : input.asMap()->entries) items.push_back(Value::tuple({name, value}));
    runtime.spendBytes(items.size() * 8 * sizeof(Value));
    return sortBy(runtime, std::move(items), key, isTruthy(arguments.find(2, "reverse")));
}

Value unique(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("unique", 2, {"case_sensitive", "attribute"});
    const Key key = makeKey(arguments.find(1, "attribute"), arguments.find(0, "case_sensitive"));
    std::vector<Value> seen;
    std::vector<Value> kept;
    for (Value& item : iterate(runtime, input)) {
        Value itemKey = key.of(runtime, item);
        checkKey(itemKey);
        const auto same = [&](const Value& other) { return valuesEqual(runtime, other, itemKey); };
        if (std::any_of(seen.begin(), seen.end(), same)) continue;
        seen.push_back(std::move(itemKey));
        kept.push_back(std::move(item));
    }
    return Value::generator(std::move(kept));
}

Value extreme(Runtime& runtime, const Value& input, Arguments& arguments, bool wantsLargest) {
    arguments.expect(wantsLargest ? "max" : "min", 2, {"case_sensitive", "attribute"});
    const Key key = makeKey(arguments.find(1, "attribute"), arguments.find(0, "case_sensitive"));
    std::vector<Value> items = iterate(runtime, input);
    if (items.empty()) return Value::undefined("an item of an empty sequence");
    size_t best = 0;
    for (size_t i = 1; i < items.size(); ++i) {
        const int order = compareValues(runtime, key.of(runtime, items[i]), key.of(runtime, items[best]));
        if (wantsLargest ? order > 0 : order < 0) best = i;
    }
    return items[best];
}

Value sum(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("sum", 2, {"attribute", "start"});
    const Value* attribute = arguments.find(0, "attribute");
    const Value* start = arguments.find(1, "start");
    Value total = start ? *start : Value::integer(0);
    for (const Value& item : iterate(runtime, input))
        total = applyBinary(runtime, "+", total,
                            attribute && !attribute->isNone() ? getPath(runtime, item, *attribute) : item);
    return total;
}

Value items(Runtime& runtime, const Value& input, Arguments& arguments) {
    if (input.isUndefined()) return Value::generator({});
    if (!input.asMap()) fail(fmt::format("items needs a map, not {}", input.typeName()));
    return Value::generator(iterate(runtime, callMethod(runtime, input, "items", arguments)));
}

// The arguments from number `first` on, as the filter or test that is applied to each item receives them.
Arguments argumentsFrom(const Arguments& arguments, size_t first) {
    Arguments rest;
    for (size_t i = first; i < arguments.positional.size(); ++i) rest.positional.push_back(arguments.positional[i]);
    rest.named = arguments.named;
    return rest;
}

// map, select and their kin take anything false for an empty list.
std::vector<Value> iterateUnlessFalse(Runtime& runtime, const Value& value) {
    return value.truthy() ? iterate(runtime, value) : std::vector<Value>{};
}

Value map(Runtime& runtime, const Value& input, Arguments& arguments) {
    std::vector<Value> values = iterateUnlessFalse(runtime, input);
    if (arguments.positional.empty()) {
        arguments.expect("map", 0, {"attribute", "default"});
        const Value& attribute = arguments.require("map", 0, "attribute");
        const Value* absent = arguments.find(1, "default");
        for (Value& value : values) value = getPath(runtime, value, attribute, absent);
        return Value::generator(std::move(values));
    }
    const std::string& name = requireText(arguments.positional[0], "map").bytes();
    const FilterEntry* filter = findFilter(name);
    if (!filter) failUnsupported(fmt::format("the filter '{}' is not supported", name));
    for (Value& value : values) {
        runtime.spendSteps(1);
        Arguments rest = argumentsFrom(arguments, 1);
        value = filter->apply(runtime, value, rest);
    }
    return Value::generator(std::move(values));
}

// select, reject, selectattr and rejectattr: `path` (null for the item itself) picks what is tested.
Value selectBy(Runtime& runtime, const Value& input, const Arguments& arguments, const Value* path, bool wanted) {
    const size_t testIndex = path ? 1 : 0;
    const TestEntry* test = nullptr;
    if (testIndex < arguments.positional.size()) {
        const std::string& name = requireText(arguments.positional[testIndex], "select").bytes();
        test = findTest(name);
        if (!test) failUnsupported(fmt::format("the test '{}' is not supported", name));
    }
    std::vector<Value> kept;
    for (Value& item : iterateUnlessFalse(runtime, input)) {
        runtime.spendSteps(1);
        const Value tested = path ? getPath(runtime, item, *path) : item;
        Arguments rest = argumentsFrom(arguments, testIndex + 1);
        if ((test ? test->holds(runtime, tested, rest) : tested.truthy()) == wanted) kept.push_back(std::move(item));
    }
    return Value::generator(std::move(kept));
}

template <bool Wanted>
Value select(Runtime& runtime, const Value& input, Arguments& arguments) {
    return selectBy(runtime, input, arguments, nullptr, Wanted);
}

template <bool Wanted>
Value selectAttribute(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Value path = arguments.require(Wanted ? "selectattr" : "rejectattr", 0, "attribute");
    return selectBy(runtime, input, arguments, &path, Wanted);
}

int64_t requireCount(Arguments& arguments, std::string_view filter, std::string_view argument) {
    arguments.expect(filter, 2, {argument, "fill_with"});
    const int64_t count = requireInteger(arguments.require(filter, 0, argument), filter);
    if (count < 1) fail(fmt::format("{}: the number must be at least 1", filter));
    return count;
}

// Lists of `linecount` items; the last one is filled up if fill_with is given.
Value batch(Runtime& runtime, const Value& input, Arguments& arguments) {
    const auto count = static_cast<size_t>(requireCount(arguments, "batch", "linecount"));
    const Value* fill = arguments.find(1, "fill_with");
    const std::vector<Value> items = iterate(runtime, input);
    std::vector<Value> batches;
    for (size_t begin = 0; begin < items.size(); begin += std::min(count, items.size() - begin)) {
        const size_t end = begin + std::min(count, items.size() - begin);
        std::vector<Value> batch{items.begin() + static_cast<std::ptrdiff_t>(begin),
                                 items.begin() + static_cast<std::ptrdiff_t>(end)};
        if (fill && !fill->isNone()) {
            runtime.spendBytes((count - batch.size()) * sizeof(Value));
            batch.resize(count, *fill);
        }
        batches.push_back(Value::list(std::move(batch)));
    }
    return Value::generator(std::move(batches));
}

// So many columns of nearly equal length; short ones are filled up if fill_with is given.
Value slice(Runtime& runtime, const Value& input, Arguments& arguments) {
    const auto count = static_cast<size_t>(requireCount(arguments, "slice", "slices"));
    const Value* fill = arguments.find(1, "fill_with");
    const std::vector<Value> items = iterate(runtime, input);
    runtime.spendBytes(count * sizeof(Value));
    const size_t length = items.size() / count;
    const size_t longer = items.size() % count;
    std::vector<Value> columns;
    size_t begin = 0;
    for (size_t i = 0; i < count; ++i) {
        const size_t end = begin + length + (i < longer ? 1 : 0);
        std::vector<Value> column{items.begin() + static_cast<std::ptrdiff_t>(begin),
                                  items.begin() + static_cast<std::ptrdiff_t>(end)};
        if (fill && !fill->isNone() && i >= longer) column.push_back(*fill);
        columns.push_back(Value::list(std::move(column)));
        begin = end;
    }
    return Value::generator(std::move(columns));
}

// Pairs of a key and the items that have it, in the order of the keys.
Value groupby(Runtime& runtime, const Value& input, Arguments& arguments) {
    arguments.expect("groupby", 3, {"attribute", "default", "case_sensitive"});
    const Value& attribute = arguments.require("groupby", 0, "attribute");
    const Value* absent = arguments.find(1, "default");
    Key fold;
    fold.isCaseSensitive = isTruthy(arguments.find(2, "case_sensitive"));
    struct Item {
        Value folded;
        Value key;
        Value value;
    };
    std::vector<Item> sorted;
    for (Value& value : iterate(runtime, input)) {
        Value key = getPath(runtime, value, attribute, absent);
        Value folded = fold.fold(runtime, key);
        sorted.push_back({std::move(folded), std::move(key), std::move(value)});
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](const Item& a, const Item& b) { return compareValues(runtime, a.folded, b.folded) < 0; });
    std::vector<Value> groups;
    for (size_t begin = 0; begin < sorted.size();) {
        std::vector<Value> members;
        size_t end = begin;
        for (; end < sorted.size() && valuesEqual(runtime, sorted[end].folded, sorted[begin].folded); ++end)
            members.push_back(sorted[end].value);
        groups.push_back(Value::view(ListKind::Group, {sorted[begin].key, Value::list(std::move(members))}));
        begin = end;
    }
    return Value::list(std::move(groups));
}

constexpr FilterEntry kFilters[] = {
    {"length", length},
    {"count", length},
    {"join", join},
    {"first", first},
    {"last", last},
    {"reverse", reverse},
    {"sort", sort},
    {"dictsort", dictsort},
    {"unique", unique},
    {"min", [](Runtime& runtime, const Value& input, Arguments& a) { return extreme(runtime, input, a, false); }},
    {"max", [](Runtime& runtime, const Value& input, Arguments& a) { return extreme(runtime, input, a, true); }},
    {"sum", sum},
    {"items", items},
    {"list", [](Runtime& runtime, const Value& input, Arguments&) { return Value::list(iterate(runtime, input)); }},
    {"map", map},
    {"select", select<true>},
    {"reject", select<false>},
    {"selectattr", selectAttribute<true>},
    {"rejectattr", selectAttribute<false>},
    {"batch", batch},
    {"slice", slice},
    {"groupby", groupby},
    {"attr",
     [](Runtime&, const Value& input, Arguments& arguments) {
         const std::string& name = requireText(arguments.require("attr", 0, "name"), "attr").bytes();
         // Unlike a dot, this filter never looks at the keys of a map.
         return input.asMap() && !hasMethod(input, name) ? Value::undefined(name) : getAttribute(input, name);
     }},
};

}  // namespace

std::span<const FilterEntry> listFilters() {
    return kFilters;
}

const FilterEntry* findFilter(std::string_view name) {
    for (const auto filters : {textFilters(), listFilters()})
        for (const FilterEntry& entry : filters)
            if (entry.name == name) return &entry;
    return nullptr;
}

}  // namespace wb::core::jinja
