// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/format/gguf_metadata.h"
#include "core/format/gguf_type.h"
#include "core/format/output_file.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wb::core {

// A tensor of a file to be written; the order is the order of the bytes.
struct GgufDeclaration {
    std::string name;
    GgufType type = GgufType::F32;
    std::vector<int64_t> shape;  // outermost first
};

// Bytes of that many elements. Throws InvalidArgument if rows do not fill the type's blocks.
size_t ggufTensorBytes(const GgufDeclaration& tensor);

// Streams tensors into a GGUF file of version 3 that appears only when complete (see OutputFile). Data and tensors
// begin at multiples of 32. Not thread-safe.
class GgufWriter {
public:
    // Throws InvalidArgument on a duplicate key or name, an empty or too long name, more than 4 axes, an extent below
    // 1, a row that does not fill the type's blocks, or a type that is not written; Io.
    GgufWriter(const std::filesystem::path& path, const GgufMetadata& metadata, std::vector<GgufDeclaration> tensors);

    // The bytes of the next declared tensor. Throws InvalidArgument if name or size is not what was declared.
    void write(std::string_view name, std::span<const std::byte> bytes);

    // Makes the file visible. Throws InvalidArgument if a declared tensor has not been written, Io.
    WrittenFile finish();

private:
    OutputFile m_file;
    std::vector<GgufDeclaration> m_tensors;
    std::string m_sourceName;
    size_t m_next = 0;
};

}  // namespace wb::core
