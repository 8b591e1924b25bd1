// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/text/jinja/text.h"
#include "kernels/base/error.h"

namespace wb::core::jinja {

struct Statement;
struct List;
struct Map;
struct Namespace;
struct Generator;
struct Loop;
struct Callable;

// A name or attribute that does not exist; using it as more than an empty text is an error that says which.
struct Undefined {
    std::string name;
};
struct None {};

using ListPtr = std::shared_ptr<const List>;
using MapPtr = std::shared_ptr<const Map>;
using NamespacePtr = std::shared_ptr<Namespace>;
using GeneratorPtr = std::shared_ptr<Generator>;
using LoopPtr = std::shared_ptr<Loop>;
using CallablePtr = std::shared_ptr<const Callable>;

// What Python calls list, tuple, range, and the views that keys(), values() and items() of a map give.
// A Group is what groupby gives: a tuple whose items are also known as grouper and list.
enum class ListKind { List, Tuple, Group, Range, Keys, Values, Items };

struct RangeBounds {
    int64_t start = 0;
    int64_t stop = 0;
    int64_t step = 1;
};

// A template value with Python's semantics. Values are immutable, except that a namespace's attributes can be set and
// that a generator is used up by whoever walks it.
class Value {
public:
    using Data = std::variant<Undefined, None, bool, int64_t, double, TextPtr, ListPtr, MapPtr, NamespacePtr,
                              GeneratorPtr, LoopPtr, CallablePtr>;

    Value() = default;
    Value(Data data) : m_data(std::move(data)) {}  // NOLINT: a value is made from any of its kinds
    explicit Value(Text text) : m_data(std::make_shared<const Text>(std::move(text))) {}

    static Value undefined(std::string name) { return Data{Undefined{std::move(name)}}; }
    static Value none() { return Data{None{}}; }
    static Value boolean(bool value) { return Data{value}; }
    static Value integer(int64_t value) { return Data{value}; }
    static Value number(double value) { return Data{value}; }
    static Value text(std::string bytes, Origin origin = {}) { return Value{Text{std::move(bytes), origin}}; }
    // All throw Failure if the nesting goes beyond the limit.
    static Value list(std::vector<Value> items);
    static Value tuple(std::vector<Value> items);
    static Value view(ListKind kind, std::vector<Value> items);
    static Value generator(std::vector<Value> items);
    static Value map(std::vector<std::pair<Value, Value>> entries);

    template <typename T>
    const T* as() const {
        return std::get_if<T>(&m_data);
    }
    const Text* asText() const { return as<TextPtr>() ? as<TextPtr>()->get() : nullptr; }
    const List* asList() const { return as<ListPtr>() ? as<ListPtr>()->get() : nullptr; }
    const Map* asMap() const { return as<MapPtr>() ? as<MapPtr>()->get() : nullptr; }
    // The value as an integer if it is one; booleans count as 0 and 1.
    std::optional<int64_t> asInteger() const;
    // The same for any number.
    std::optional<double> asNumber() const;

    bool isUndefined() const { return as<Undefined>() != nullptr; }
    bool isNone() const { return as<None>() != nullptr; }

    bool truthy() const;
    // Python's name of the type, for messages: "str", "NoneType" ...
    const char* typeName() const;
    int depth() const;            // nesting of lists and maps, 0 for all else
    bool holdsNamespace() const;  // itself, or somewhere inside

private:
    Data m_data;
};

struct List {
    std::vector<Value> items;
    ListKind kind = ListKind::List;
    RangeBounds range;  // of a Range
    int depth = 1;
    bool holdsNamespace = false;

    bool isTuple() const { return kind == ListKind::Tuple || kind == ListKind::Group; }
    // Lists, tuples and ranges can be indexed; views of a map cannot.
    bool isSequence() const { return isTuple() || kind == ListKind::List || kind == ListKind::Range; }
};

// What filters such as map and select give: always true, without a length, and empty once it was walked.
struct Generator {
    std::vector<Value> items;
    size_t next = 0;
    int depth = 1;
    bool holdsNamespace = false;
};

struct Map {
    std::vector<std::pair<Value, Value>> entries;  // in the order of insertion; keys are unique
    int depth = 1;
    bool holdsNamespace = false;

    const Value* find(std::string_view key) const;
};

struct Namespace {
    std::vector<std::pair<std::string, Value>> attributes;

    const Value* find(std::string_view name) const;
    // Throws Failure if the value holds a namespace: such a ring could never be freed or printed.
    void set(std::string_view name, Value value);
};

// The `loop` variable of a for loop.
struct Loop {
    std::vector<Value> items;
    size_t index = 0;
    std::vector<Value> lastChanged;
    bool hasChanged = false;
    int64_t depth = 1;                     // of a recursive loop, counted from 1
    const Statement* recursive = nullptr;  // the for statement, if calling the loop runs it again
    std::shared_ptr<struct Scope> scope;   // where that statement stands
};

struct Macro;  // a parsed macro with the scope it closes over; interpreter.h
using Function = Value (*)(struct Runtime&, struct Arguments&);

// Something that can be called: a macro, a global function, or a method bound to its object.
struct Callable {
    std::shared_ptr<const Macro> macro;
    Function function = nullptr;
    Value self;  // with `name`: a bound method
    std::string name;
};

// A mistake found while a template runs, without its place: the interpreter adds that.
struct Failure {
    ErrorCode code = ErrorCode::InvalidArgument;
    std::string message;
};
[[noreturn]] void fail(std::string message);
[[noreturn]] void failUnsupported(std::string message);

// The arguments of a call.
struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;

    // Argument number `index`, also known by `name`; null if not given.
    const Value* find(size_t index, std::string_view name) const;
    // Throws Failure if there are more positional arguments than `most`, or named ones outside `names`.
    void expect(std::string_view callee, size_t most, std::initializer_list<std::string_view> names = {}) const;
    // Throws Failure naming the callee and argument if it is not given.
    const Value& require(std::string_view callee, size_t index, std::string_view name) const;
};

// What one render may use up, and what builtins may see of the outside world.
struct Runtime {
    size_t stepsLeft = 0;
    size_t bytesLeft = 0;             // of everything built on the way
    size_t maxTextBytes = 0;          // of one text
    std::optional<int64_t> unixTime;  // what strftime_now sees; the clock if absent

    void spendSteps(size_t steps);
    void spendBytes(size_t bytes);           // also one step per kilobyte
    void checkTextSize(size_t bytes) const;  // of one text about to be built
    void chargeText(size_t bytes);           // checkTextSize and spendBytes
};

// The text a value prints as (str()), and its literal form (repr()). Origins of texts are kept.
Text toText(Runtime& runtime, const Value& value);
Text toLiteral(Runtime& runtime, const Value& value);
std::string formatFloat(double value);

struct JsonStyle {
    std::optional<Text> indent;  // as Python's json.dumps: none means one line
    bool ensureAscii = false;
    bool sortKeys = false;
    std::string itemSeparator = ", ";
    std::string keySeparator = ": ";
};
Text toJson(Runtime& runtime, const Value& value, const JsonStyle& style);

// Values of a JSON text; every string in it gets the origin. Throws Error InvalidArgument naming `what`.
Value parseJsonValue(std::string_view json, Origin origin, std::string_view what);

}  // namespace wb::core::jinja
