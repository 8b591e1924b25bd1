// SPDX-License-Identifier: Apache-2.0
#include "core/text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace wb::core::jinja {
namespace {

constexpr int kMaxNesting = 64;  // of lists and maps: destructors and printing recurse

void checkNesting(int depth) {
    if (depth > kMaxNesting) fail(fmt::format("lists and maps are nested more than {} deep", kMaxNesting));
}

// `Sequence` is List or Generator.
template <typename Sequence>
std::shared_ptr<Sequence> makeSequence(std::vector<Value> items) {
    auto sequence = std::make_shared<Sequence>();
    for (const Value& item : items) {
        sequence->depth = std::max(sequence->depth, item.depth() + 1);
        sequence->holdsNamespace = sequence->holdsNamespace || item.holdsNamespace();
    }
    checkNesting(sequence->depth);
    sequence->items = std::move(items);
    return sequence;
}

}  // namespace

void fail(std::string message) {
    throw Failure{ErrorCode::InvalidArgument, std::move(message)};
}

void failUnsupported(std::string message) {
    throw Failure{ErrorCode::Unsupported, std::move(message)};
}

Value Value::list(std::vector<Value> items) {
    return view(ListKind::List, std::move(items));
}

Value Value::tuple(std::vector<Value> items) {
    return view(ListKind::Tuple, std::move(items));
}

Value Value::view(ListKind kind, std::vector<Value> items) {
    auto list = makeSequence<List>(std::move(items));
    list->kind = kind;
    return Data{ListPtr{std::move(list)}};
}

Value Value::generator(std::vector<Value> items) {
    return Data{makeSequence<Generator>(std::move(items))};
}

Value Value::map(std::vector<std::pair<Value, Value>> entries) {
    auto map = std::make_shared<Map>();
    for (const auto& [key, value] : entries) {
        map->depth = std::max({map->depth, key.depth() + 1, value.depth() + 1});
        map->holdsNamespace = map->holdsNamespace || value.holdsNamespace() || key.holdsNamespace();
    }
    checkNesting(map->depth);
    map->entries = std::move(entries);
    return Data{MapPtr{std::move(map)}};
}

std::optional<int64_t> Value::asInteger() const {
    if (const auto* value = as<int64_t>()) return *value;
    if (const auto* value = as<bool>()) return *value ? 1 : 0;
    return std::nullopt;
}

std::optional<double> Value::asNumber() const {
    if (const auto* value = as<double>()) return *value;
    if (const auto value = asInteger()) return static_cast<double>(*value);
    return std::nullopt;
}

bool Value::truthy() const {
    if (isUndefined() || isNone()) return false;
    if (const auto value = asNumber()) return *value != 0.0;
    if (const Text* text = asText()) return !text->empty();
    if (const List* list = asList()) return !list->items.empty();
    if (const Map* map = asMap()) return !map->entries.empty();
    return true;
}

const char* Value::typeName() const {
    constexpr const char* kNames[] = {"Undefined", "NoneType", "bool",      "int",       "float",       "str",
                                      "list",      "dict",     "Namespace", "generator", "LoopContext", "function"};
    constexpr const char* kLists[] = {"list", "tuple", "tuple", "range", "dict_keys", "dict_values", "dict_items"};
    const List* list = asList();
    return list ? kLists[static_cast<size_t>(list->kind)] : kNames[m_data.index()];
}

int Value::depth() const {
    if (const List* list = asList()) return list->depth;
    if (const Map* map = asMap()) return map->depth;
    if (const auto* generator = as<GeneratorPtr>()) return (*generator)->depth;
    if (const auto* callable = as<CallablePtr>()) return (*callable)->self.depth() + 1;
    return 0;
}

bool Value::holdsNamespace() const {
    if (const List* list = asList()) return list->holdsNamespace;
    if (const Map* map = asMap()) return map->holdsNamespace;
    if (const auto* generator = as<GeneratorPtr>()) return (*generator)->holdsNamespace;
    if (const auto* callable = as<CallablePtr>()) return (*callable)->self.holdsNamespace();
    // A loop keeps its items alive, and those may hold anything.
    return as<NamespacePtr>() != nullptr || as<LoopPtr>() != nullptr;
}

const Value* Map::find(std::string_view key) const {
    for (const auto& [name, value] : entries) {
        const Text* text = name.asText();
        if (text && text->bytes() == key) return &value;
    }
    return nullptr;
}

const Value* Namespace::find(std::string_view name) const {
    for (const auto& [attribute, value] : attributes)
        if (attribute == name) return &value;
    return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
    if (value.holdsNamespace()) fail("a namespace cannot hold a namespace or a loop");
    for (auto& [attribute, current] : attributes) {
        if (attribute == name) {
            current = std::move(value);
            return;
        }
    }
    attributes.emplace_back(std::string{name}, std::move(value));
}

const Value* Arguments::find(size_t index, std::string_view name) const {
    if (index < positional.size()) return &positional[index];
    for (const auto& [key, value] : named)
        if (key == name) return &value;
    return nullptr;
}

void Arguments::expect(std::string_view callee, size_t most, std::initializer_list<std::string_view> names) const {
    if (positional.size() > most)
        fail(fmt::format("{} takes at most {} argument(s), {} given", callee, most, positional.size()));
    for (const auto& [key, value] : named)
        if (std::find(names.begin(), names.end(), key) == names.end())
            fail(fmt::format("{} has no argument named '{}'", callee, key));
}

const Value& Arguments::require(std::string_view callee, size_t index, std::string_view name) const {
    const Value* value = find(index, name);
    if (!value) fail(fmt::format("{} needs the argument '{}'", callee, name));
    return *value;
}

void Runtime::spendSteps(size_t steps) {
    if (steps > stepsLeft) fail("the template runs for too many steps; does a loop build on itself?");
    stepsLeft -= steps;
}

void Runtime::spendBytes(size_t bytes) {
    spendSteps(bytes / 1024);
    if (bytes > bytesLeft) fail("the template builds too much text on the way; does a loop build on itself?");
    bytesLeft -= bytes;
}

void Runtime::checkTextSize(size_t bytes) const {
    if (bytes > maxTextBytes) fail(fmt::format("a text of {} bytes is over the limit of {}", bytes, maxTextBytes));
}

void Runtime::chargeText(size_t bytes) {
    checkTextSize(bytes);
    spendBytes(bytes);
}

}  // namespace wb::core::jinja
