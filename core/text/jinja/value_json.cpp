// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text/jinja/value.h"

namespace wb::core::jinja {
namespace {

constexpr int kMaxJsonDepth = 48;  // leaves room for the lists a template wraps around it

Value convert(const nlohmann::ordered_json& json, const Origin& origin, std::string_view what, int depth) {
    if (depth > kMaxJsonDepth)
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: nested more than {} deep", what, kMaxJsonDepth)};
    if (json.is_string()) return Value::text(json.get<std::string>(), origin);
    if (json.is_boolean()) return Value::boolean(json.get<bool>());
    if (json.is_number_integer()) {
        if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
            throw Error{ErrorCode::Unsupported,
                        fmt::format("{}: the number {} needs more than 64 bits", what, json.get<uint64_t>())};
        return Value::integer(json.get<int64_t>());
    }
    if (json.is_number()) return Value::number(json.get<double>());
    if (json.is_array()) {
        std::vector<Value> items;
        for (const auto& item : json) items.push_back(convert(item, origin, what, depth + 1));
        return Value::list(std::move(items));
    }
    if (json.is_object()) {
        std::vector<std::pair<Value, Value>> entries;
        for (const auto& [key, value] : json.items())
            entries.emplace_back(Value::text(key, origin), convert(value, origin, what, depth + 1));
        return Value::map(std::move(entries));
    }
    return Value::none();
}

}  // namespace

Value parseJsonValue(std::string_view json, Origin origin, std::string_view what) {
    try {
        return convert(nlohmann::ordered_json::parse(json), origin, what, 0);
    } catch (const nlohmann::json::exception& error) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: not valid JSON: {}", what, error.what())};
    }
}

}  // namespace wb::core::jinja
