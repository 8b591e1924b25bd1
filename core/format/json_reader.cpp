// SPDX-License-Identifier: Apache-2.0
#include "core/format/json_reader.h"

#include "core/format/mapped_file.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <cmath>

namespace wb::core {
namespace {

// A document of brackets alone would cost a hundred times its size in memory; no real file nests deeply.
void checkDepth(std::string_view text, std::string_view sourceName) {
    constexpr int kMaxDepth = 64;
    int depth = 0;
    bool isInString = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (isInString) {
            if (c == '\\') ++i;
            if (c == '"') isInString = false;
        } else if (c == '"') {
            isInString = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kMaxDepth) {
                throw Error{ErrorCode::CorruptFile,
                            fmt::format("{}: JSON nests more than {} levels at byte {}", sourceName, kMaxDepth, i)};
            }
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
}

template <class Json>
Json parse(std::string_view text, std::string_view sourceName) {
    checkDepth(text, sourceName);
    try {
        return Json::parse(text.begin(), text.end());
    } catch (const nlohmann::json::exception& error) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: is not valid JSON: {}", sourceName, error.what())};
    }
}

}  // namespace

nlohmann::json parseJson(std::string_view text, std::string_view sourceName) {
    return parse<nlohmann::json>(text, sourceName);
}

nlohmann::ordered_json parseOrderedJson(std::string_view text, std::string_view sourceName) {
    return parse<nlohmann::ordered_json>(text, sourceName);
}

nlohmann::json readJsonFile(const std::filesystem::path& path, size_t maxBytes) {
    return parseJson(readTextFile(path, maxBytes), path.string());
}

JsonObject::JsonObject(const nlohmann::json& value, std::string_view sourceName)
    : m_value(value), m_sourceName(sourceName) {
    if (!value.is_object()) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: a JSON object was expected, found {}", sourceName, value.type_name())};
    }
}

const nlohmann::json* JsonObject::find(const char* key) const {
    const auto found = m_value.find(key);
    return found == m_value.end() || found->is_null() ? nullptr : &*found;
}

std::optional<int64_t> JsonObject::integer(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
        fail(key, "is too large a number");
    }
    if (value->is_number_integer()) return value->get<int64_t>();
    if (value->is_number_float()) {  // some writers put 1e5 or 4096.0
        const double number = value->get<double>();
        if (std::trunc(number) == number && std::abs(number) < 0x1p53) return static_cast<int64_t>(number);
    }
    fail(key, fmt::format("must be a whole number, found {}", value->dump(-1, ' ', true)));
}

std::optional<double> JsonObject::number(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) fail(key, fmt::format("must be a number, found {}", value->type_name()));
    return value->get<double>();
}

std::optional<bool> JsonObject::boolean(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) fail(key, fmt::format("must be true or false, found {}", value->type_name()));
    return value->get<bool>();
}

std::optional<std::string> JsonObject::text(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) fail(key, fmt::format("must be a text, found {}", value->type_name()));
    return value->get<std::string>();
}

int64_t JsonObject::requiredInteger(const char* key) const {
    const auto value = integer(key);
    if (!value) fail(key, "is missing");
    return *value;
}

void JsonObject::fail(std::string_view key, std::string_view what) const {
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: '{}' {}", m_sourceName, key, what)};
}

}  // namespace wb::core
