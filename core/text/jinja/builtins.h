// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "core/text/jinja/value.h"

// Filters, tests, methods and global functions. Each table is complete: a name that is not in it is unsupported.
namespace wb::core::jinja {

struct FilterEntry {
    std::string_view name;
    Value (*apply)(Runtime& runtime, const Value& input, Arguments& arguments);
};

struct TestEntry {
    std::string_view name;
    bool (*holds)(Runtime& runtime, const Value& input, Arguments& arguments);
};

struct GlobalEntry {
    std::string_view name;
    Function function;
};

std::span<const FilterEntry> textFilters();
std::span<const FilterEntry> listFilters();
std::span<const TestEntry> testEntries();
std::span<const GlobalEntry> globalEntries();

const FilterEntry* findFilter(std::string_view name);
const TestEntry* findTest(std::string_view name);

// A method of a text, map, loop or namespace by name; false if the object has no such method.
bool hasMethod(const Value& object, std::string_view name);
// A method of Python's that would change the object, which the sandbox does not let templates do ("append", "update").
bool isChangingMethod(const Value& object, std::string_view name);
Value callMethod(Runtime& runtime, const Value& object, std::string_view name, Arguments& arguments);

// Operators and access, with Python's rules.
bool valuesEqual(Runtime& runtime, const Value& left, const Value& right);
// Below, equal or above zero. Throws Failure if the two have no order.
int compareValues(Runtime& runtime, const Value& left, const Value& right);
bool containsValue(Runtime& runtime, const Value& container, const Value& item);
Value applyBinary(Runtime& runtime, std::string_view op, const Value& left, const Value& right);
Value negate(const Value& value);
// object.name and object[index]; undefined if there is no such thing, Failure if the object is undefined itself.
Value getAttribute(const Value& object, std::string_view name);
Value getItem(Runtime& runtime, const Value& object, const Value& index);
Value getSlice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step);
// Throws Failure if the value cannot be the key of a map, as lists and maps cannot.
void checkKey(const Value& key);
// Sets a key of a map that is being made. Throws as checkKey.
void setEntry(Runtime& runtime, std::vector<std::pair<Value, Value>>& entries, Value key, Value value);
// Throws Failure for names with an underscore in front, which the sandbox keeps off namespaces.
void checkAttributeName(std::string_view name);
// The items a for loop walks: of a list, the keys of a map, the characters of a text. Uses up a generator.
std::vector<Value> iterate(Runtime& runtime, const Value& value);
// An attribute path as filters take it: "a.b.0", or an integer. `absent` (may be null) stands for what does not exist.
Value getPath(Runtime& runtime, const Value& object, const Value& path, const Value* absent = nullptr);

// "%s" % values and "{}".format(values).
Text formatPercent(Runtime& runtime, const Text& pattern, const Value& values);
Text formatBraces(Runtime& runtime, const Text& pattern, const Arguments& arguments);

}  // namespace wb::core::jinja
