// SPDX-License-Identifier: Apache-2.0
// Private to the .cpp files of core: JSON from foreign files, with limits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace wb::core {

// Throws CorruptFile "<sourceName>: ..." on bad syntax, bad UTF-8 or more than 64 nested levels.
nlohmann::json parseJson(std::string_view text, std::string_view sourceName);
nlohmann::ordered_json parseOrderedJson(std::string_view text, std::string_view sourceName);

// parseJson() of a whole file of at most maxBytes. Throws NotFound, Io or CorruptFile.
nlohmann::json readJsonFile(const std::filesystem::path& path, size_t maxBytes);

// Typed look-ups in one JSON object whose errors name the file and the key. A key that holds null counts as absent.
class JsonObject {
public:
    // Throws CorruptFile if the value is no object. Borrows it.
    JsonObject(const nlohmann::json& value, std::string_view sourceName);

    const std::string& sourceName() const { return m_sourceName; }
    bool has(const char* key) const { return find(key) != nullptr; }
    // Whether the key is there at all, be it with null.
    bool isStated(const char* key) const { return m_value.contains(key); }
    // The value, or nullptr if absent.
    const nlohmann::json* find(const char* key) const;

    // Absent gives nothing; another type throws CorruptFile with the key and what was found.
    std::optional<int64_t> integer(const char* key) const;
    std::optional<double> number(const char* key) const;
    std::optional<bool> boolean(const char* key) const;
    std::optional<std::string> text(const char* key) const;

    // As above, but absent throws CorruptFile too.
    int64_t requiredInteger(const char* key) const;

    [[noreturn]] void fail(std::string_view key, std::string_view what) const;

private:
    const nlohmann::json& m_value;
    std::string m_sourceName;
};

}  // namespace wb::core
