// SPDX-License-Identifier: Apache-2.0
// Functions a template may call: what Hugging Face gives to chat templates, and Jinja's own that make sense there.
#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/text_ops.h"

namespace wb::core::jinja {
namespace {

Value raiseException(Runtime& runtime, Arguments& arguments) {
    fail(toText(runtime, arguments.require("raise_exception", 0, "message")).bytes());
}

Value strftimeNow(Runtime& runtime, Arguments& arguments) {
    const std::string format = requireText(arguments.require("strftime_now", 0, "format"), "strftime_now").bytes();
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    const auto seconds = static_cast<std::time_t>(runtime.unixTime.value_or(now));
    std::tm parts{};
    // A given time is read as UTC, so that it means the same on every machine.
    if (runtime.unixTime) {
        gmtime_r(&seconds, &parts);
    } else {
        localtime_r(&seconds, &parts);
    }
    if (format.empty()) return Value::text("");
    if (format.size() > 200) fail("strftime_now: the format is longer than 200 bytes");
    char buffer[8192];
    return Value::text({buffer, std::strftime(buffer, sizeof buffer, format.c_str(), &parts)});
}

Value range(Runtime& runtime, Arguments& arguments) {
    arguments.expect("range", 3);
    if (arguments.positional.empty()) fail("range needs at least one number");
    int64_t bounds[3] = {0, 0, 1};
    const size_t count = arguments.positional.size();
    for (size_t i = 0; i < count; ++i) bounds[count == 1 ? 1 : i] = requireInteger(arguments.positional[i], "range");
    const auto [start, stop, step] = bounds;
    if (step == 0) fail("range: the step must not be zero");
    constexpr size_t kMaxItems = 100'000;  // as Jinja's sandbox
    std::vector<Value> items;
    for (int64_t value = start; step > 0 ? value < stop : value > stop;) {
        if (items.size() == kMaxItems) fail(fmt::format("range: more than {} numbers", kMaxItems));
        items.push_back(Value::integer(value));
        if (__builtin_add_overflow(value, step, &value)) break;
    }
    runtime.spendBytes(items.size() * sizeof(Value));
    auto list = std::make_shared<List>();
    list->kind = ListKind::Range;
    list->items = std::move(items);
    list->range = {start, stop, step};
    return Value::Data{ListPtr{std::move(list)}};
}

// The entries of a map, or of a list of pairs.
std::vector<std::pair<Value, Value>> entriesOf(Runtime& runtime, const Value& source) {
    if (const Map* map = source.asMap()) {
        runtime.spendBytes(map->entries.size() * 2 * sizeof(Value));
        return map->entries;
    }
    std::vector<std::pair<Value, Value>> entries;
    for (const Value& item : iterate(runtime, source)) {
        const std::vector<Value> pair = iterate(runtime, item);
        if (pair.size() != 2) fail(fmt::format("dict: an item of {} values is no pair", pair.size()));
        setEntry(runtime, entries, pair[0], pair[1]);
    }
    return entries;
}

Value makeDict(Runtime& runtime, Arguments& arguments) {
    if (arguments.positional.size() > 1) fail("dict takes at most one map");
    std::vector<std::pair<Value, Value>> entries;
    if (!arguments.positional.empty()) entries = entriesOf(runtime, arguments.positional[0]);
    for (const auto& [name, value] : arguments.named) setEntry(runtime, entries, Value::text(name), value);
    return Value::map(std::move(entries));
}

Value makeNamespace(Runtime& runtime, Arguments& arguments) {
    const Value initial = makeDict(runtime, arguments);
    auto space = std::make_shared<Namespace>();
    for (const auto& [key, value] : initial.asMap()->entries) {
        if (!key.asText()) fail("namespace: the names of attributes must be texts");
        checkAttributeName(key.asText()->bytes());
        space->set(key.asText()->bytes(), value);
    }
    return Value::Data{NamespacePtr{std::move(space)}};
}

constexpr GlobalEntry kGlobals[] = {
    {"raise_exception", raiseException}, {"strftime_now", strftimeNow}, {"range", range}, {"dict", makeDict},
    {"namespace", makeNamespace},
};

}  // namespace

std::span<const GlobalEntry> globalEntries() {
    return kGlobals;
}

}  // namespace wb::core::jinja
