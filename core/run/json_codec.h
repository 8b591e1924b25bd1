// SPDX-License-Identifier: Apache-2.0
// Private to the codecs of this folder: one list of fields per struct serves writing and reading.
//   template <class Visitor> void visitFields(Visitor& visit, Same<Visitor, Point>& p) { visit("x", p.x); ... }
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/base/error.h"

namespace wb::core::codec {

using Json = nlohmann::ordered_json;

// Deeper nesting than any message has; stops a hostile line before it reaches the recursive parts of the parser.
inline constexpr int kMaxDepth = 16;

struct FieldWriter;
struct FieldReader;

// The struct as a visitor sees it: constant when writing.
template <class Visitor, class T>
using Same = std::conditional_t<std::is_same_v<Visitor, FieldWriter>, const T, T>;

template <class T>
Json encode(const T& value);
template <class T>
void decode(const Json& json, T& value, std::string_view key);

// Writes each visited field into an object.
struct FieldWriter {
    Json& object;

    template <class T>
    void operator()(const char* key, const T& value) {
        object[key] = encode(value);
    }
    // An absent optional leaves no key.
    template <class T>
    void operator()(const char* key, const std::optional<T>& value) {
        if (value) object[key] = encode(*value);
    }
};

// Reads each visited field that the object has; the others keep their defaults.
struct FieldReader {
    const Json& object;

    template <class T>
    void operator()(const char* key, T& value) {
        const auto found = object.find(key);
        if (found != object.end()) decode(*found, value, key);
    }
    template <class T>
    void operator()(const char* key, std::optional<T>& value) {
        const auto found = object.find(key);
        if (found == object.end() || found->is_null()) return;
        decode(*found, value.emplace(), key);
    }
};

[[noreturn]] inline void failType(std::string_view key, std::string_view wanted, const Json& json) {
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("field '{}' must be {}, not {}", key, wanted, json.type_name())};
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};

template <class T>
Json encode(const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
        return value;  // the library writes NaN and infinities as null
    } else if constexpr (IsVector<T>::value) {
        Json array = Json::array();
        for (const auto& item : value) array.push_back(encode(item));
        return array;
    } else if constexpr (IsPair<T>::value) {
        return Json::array({encode(value.first), encode(value.second)});
    } else {
        Json object = Json::object();
        FieldWriter writer{object};
        visitFields(writer, value);
        return object;
    }
}

template <class T>
void decodeNumber(const Json& json, T& value, std::string_view key) {
    if constexpr (std::is_same_v<T, bool>) {
        if (!json.is_boolean()) failType(key, "true or false", json);
        value = json.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
        if (!json.is_number_integer()) failType(key, "a whole number", json);
        const bool isHuge = json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX};
        const int64_t number = isHuge ? 0 : json.get<int64_t>();
        if (isHuge || !std::in_range<T>(number)) {
            throw Error{ErrorCode::InvalidArgument, fmt::format("field '{}' is out of range: {}", key, json.dump())};
        }
        value = static_cast<T>(number);
    } else {
        if (!json.is_number() && !json.is_null()) failType(key, "a number", json);
        value = json.is_null() ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(json.get<double>());
    }
}

template <class T>
void decode(const Json& json, T& value, std::string_view key) {
    if constexpr (std::is_arithmetic_v<T>) {
        decodeNumber(json, value, key);
    } else if constexpr (std::is_same_v<T, std::string>) {
        if (!json.is_string()) failType(key, "text", json);
        value = json.get<std::string>();
    } else if constexpr (IsVector<T>::value) {
        if (!json.is_array()) failType(key, "a list", json);
        value.clear();
        for (const auto& item : json) decode(item, value.emplace_back(), key);
    } else if constexpr (IsPair<T>::value) {
        if (!json.is_array() || json.size() != 2) failType(key, "a pair", json);
        decode(json[0], value.first, key);
        decode(json[1], value.second, key);
    } else {
        if (!json.is_object()) failType(key, "an object", json);
        FieldReader reader{json};
        visitFields(reader, value);
    }
}

// The object in a line. Throws InvalidArgument if there is none.
inline Json parseObject(std::string_view line) {
    int deepest = 0;
    const auto limitDepth = [&deepest](int depth, Json::parse_event_t, Json&) {
        deepest = std::max(deepest, depth);
        return depth <= kMaxDepth;
    };
    Json json = Json::parse(line, limitDepth, false);
    if (deepest > kMaxDepth) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("nested deeper than {} levels", kMaxDepth)};
    }
    if (!json.is_object()) throw Error{ErrorCode::InvalidArgument, "not one JSON object"};
    return json;
}

inline std::string dumpLine(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Creates the alternative of a variant whose name is wanted; false if there is none.
//   nameOf(const T&) gives the name of each alternative.
template <class Variant, size_t Index = 0, class NameOf>
bool emplaceByName(Variant& body, std::string_view name, const NameOf& nameOf) {
    if constexpr (Index == std::variant_size_v<Variant>) {
        return false;
    } else {
        using T = std::variant_alternative_t<Index, Variant>;
        if (nameOf(T{}) == name) {
            body.template emplace<Index>();
            return true;
        }
        return emplaceByName<Variant, Index + 1>(body, name, nameOf);
    }
}

}  // namespace wb::core::codec
