// SPDX-License-Identifier: Apache-2.0
// Private to the tokenizer readers: typed look-ups in a simdjson document whose errors name the place.
#pragma once

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wb::core {

// A value of the document and the path to it. Borrows the document.
class JsonView {
public:
    JsonView(simdjson::dom::element value, std::string path) : m_value(value), m_path(std::move(path)) {}

    // The whole document. It lives as long as the parser does.
    static JsonView parse(simdjson::dom::parser& parser, std::string_view json, const std::string& sourceName) {
        simdjson::dom::element root;
        const auto status = parser.parse(json.data(), json.size()).get(root);
        if (status == simdjson::SUCCESS) return {root, sourceName};
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: is not valid JSON: {}", sourceName, simdjson::error_message(status))};
    }

    const simdjson::dom::element& value() const { return m_value; }
    const std::string& path() const { return m_path; }

    [[noreturn]] void fail(std::string_view what) const {
        throw Error{ErrorCode::CorruptFile, fmt::format("{} {}", m_path, what)};
    }
    [[noreturn]] void unsupported(std::string_view what) const {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: {}", m_path, what)};
    }

    // A member of this object; nothing if it is absent or null.
    std::optional<JsonView> find(std::string_view key) const {
        simdjson::dom::object object;
        if (m_value.get(object) != simdjson::SUCCESS) fail("is no object");
        simdjson::dom::element member;
        if (object.at_key(key).get(member) != simdjson::SUCCESS || member.is_null()) return std::nullopt;
        return JsonView(member, fmt::format("{}.{}", m_path, key));
    }
    JsonView at(std::string_view key) const {
        auto member = find(key);
        if (!member) fail(fmt::format("has no '{}'", key));
        return *member;
    }

    std::string_view text() const {
        std::string_view value;
        if (m_value.get(value) != simdjson::SUCCESS) fail("is no text");
        return value;
    }
    bool boolean() const {
        bool value = false;
        if (m_value.get(value) != simdjson::SUCCESS) fail("is not true or false");
        return value;
    }
    int64_t integer(int64_t minimum, int64_t maximum) const {
        int64_t value = 0;
        if (m_value.get(value) != simdjson::SUCCESS || value < minimum || value > maximum) {
            fail(fmt::format("is no whole number from {} to {}", minimum, maximum));
        }
        return value;
    }
    simdjson::dom::array array() const {
        simdjson::dom::array value;
        if (m_value.get(value) != simdjson::SUCCESS) fail("is no list");
        return value;
    }
    simdjson::dom::object object() const {
        simdjson::dom::object value;
        if (m_value.get(value) != simdjson::SUCCESS) fail("is no object");
        return value;
    }

    std::string textOr(std::string_view key, std::string_view fallback) const {
        const auto member = find(key);
        return std::string(member ? member->text() : fallback);
    }
    bool booleanOr(std::string_view key, bool fallback) const {
        const auto member = find(key);
        return member ? member->boolean() : fallback;
    }

private:
    simdjson::dom::element m_value;
    std::string m_path;
};

}  // namespace wb::core
