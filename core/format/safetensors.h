// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/mapped_file.h"
#include "core/format/output_file.h"
#include "kernels/base/dtype.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wb::core {

struct TensorEntry {
    std::string name;
    std::string dtypeText;       // as the file writes it: "BF16", "F8_E4M3", ...
    std::optional<DType> dtype;  // absent for element types the engine does not compute with (BOOL, U16, F8 ...)
    std::vector<int64_t> shape;  // empty for a scalar
    uint64_t begin = 0;          // byte range within the data area
    uint64_t end = 0;

    uint64_t bytes() const { return end - begin; }
};

// A safetensors file, mapped and fully checked when opened: header length, JSON, element types, shapes against ranges,
// no overlap, no hole, no duplicate name. Thread-safe.
class SafetensorsFile {
public:
    // Throws NotFound, Io, CorruptFile (with the check that failed) or Unsupported (pickle, zip, LFS pointer, GGUF,
    // each by name and with what to do).
    static SafetensorsFile open(const std::filesystem::path& path);

    // In the order of their bytes in the file.
    const std::vector<TensorEntry>& tensors() const { return m_tensors; }
    // Null if there is no such tensor.
    const TensorEntry* find(std::string_view name) const;
    // The bytes of a tensor, valid as long as this object. Throws NotFound.
    std::span<const std::byte> bytes(std::string_view name) const;
    std::span<const std::byte> bytes(const TensorEntry& entry) const;
    const std::map<std::string, std::string>& metadata() const { return m_metadata; }
    const std::filesystem::path& path() const { return m_file.path(); }

private:
    explicit SafetensorsFile(MappedFile file) : m_file(std::move(file)) {}

    MappedFile m_file;
    std::vector<TensorEntry> m_tensors;
    std::unordered_map<std::string, size_t> m_indexByName;
    std::map<std::string, std::string> m_metadata;
    size_t m_dataOffset = 0;
};

// What a file to be written holds; the order is the order of the bytes.
struct TensorDeclaration {
    std::string name;
    DType dtype = DType::F32;
    std::vector<int64_t> shape;
};

// Streams tensors into a safetensors file that appears only when complete (see OutputFile). The header is padded so
// that the data starts at a multiple of 8. Not thread-safe.
class SafetensorsWriter {
public:
    // Throws InvalidArgument on a duplicate or reserved name, a negative extent or a Q8_0 tensor; Io.
    SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

    // The bytes of the next declared tensor. Throws InvalidArgument if name or size is not what was declared.
    void write(std::string_view name, std::span<const std::byte> bytes);

    // Makes the file visible. Throws InvalidArgument if a declared tensor has not been written, Io.
    WrittenFile finish();

private:
    OutputFile m_file;
    std::vector<TensorDeclaration> m_tensors;
    std::string m_sourceName;
    size_t m_next = 0;
};

}  // namespace wb::core
