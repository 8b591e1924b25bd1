// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf_type.h"
#include "core/format/mapped_file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wb::core {

// One metadata value. All integer kinds become int64_t (an unsigned one beyond its range becomes a double), both float
// kinds double; arrays hold one kind.
using GgufValue = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                               std::vector<std::string>>;

struct GgufTensor {
    std::string name;
    GgufType type = GgufType::F32;
    std::vector<int64_t> shape;  // outermost first: the reverse of what the file writes
    std::span<const std::byte> bytes;
};

// A GGUF file of version 2 or 3, mapped; all counts, lengths, types and ranges are checked when it is opened.
// Thread-safe.
class GgufFile {
public:
    // Throws NotFound, Io, CorruptFile (with the offset and the check that failed) or Unsupported (version 1,
    // big-endian, other containers by name).
    static GgufFile open(const std::filesystem::path& path);

    uint32_t version() const { return m_version; }
    const std::filesystem::path& path() const { return m_file.path(); }
    const std::map<std::string, GgufValue>& metadata() const { return m_metadata; }
    // In the order of the file; the bytes are valid as long as this object.
    const std::vector<GgufTensor>& tensors() const { return m_tensors; }
    const GgufTensor* find(std::string_view name) const;

    // Metadata by key: absent gives nothing (or a null pointer), another kind throws CorruptFile naming the key.
    std::optional<int64_t> integer(const std::string& key) const;
    std::optional<double> number(const std::string& key) const;
    std::optional<bool> boolean(const std::string& key) const;
    std::optional<std::string> text(const std::string& key) const;
    const std::vector<int64_t>* integers(const std::string& key) const;
    const std::vector<double>* numbers(const std::string& key) const;
    const std::vector<std::string>* texts(const std::string& key) const;

    // integer() that throws CorruptFile if the key is absent.
    int64_t requiredInteger(const std::string& key) const;

private:
    explicit GgufFile(MappedFile file) : m_file(std::move(file)) {}
    const GgufValue* value(const std::string& key) const;
    [[noreturn]] void failKind(const std::string& key, const char* wanted) const;

    MappedFile m_file;
    uint32_t m_version = 0;
    std::map<std::string, GgufValue> m_metadata;
    std::vector<GgufTensor> m_tensors;
    std::map<std::string, size_t, std::less<>> m_indexByName;
};

}  // namespace wb::core
