// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_writer.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <bit>
#include <set>

namespace wb::core {
namespace {

constexpr size_t kAlignment = 32;
constexpr size_t kMaxNameBytes = 63;  // readers hold names in 64 bytes

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

size_t paddingOf(size_t bytes) {
    return (kAlignment - bytes % kAlignment) % kAlignment;
}

// Collects the header: everything before the data.
class HeaderBytes {
public:
    template <class T>
    requires std::is_arithmetic_v<T>
    void add(T value) { m_bytes.append(reinterpret_cast<const char*>(&value), sizeof(T)); }
    void add(std::string_view text) {
        add(static_cast<uint64_t>(text.size()));
        m_bytes += text;
    }
    void addRaw(std::string_view bytes) { m_bytes += bytes; }
    const std::string& bytes() const { return m_bytes; }

private:
    std::string m_bytes;
};

// The number of a kind in the file.
template <class T>
constexpr uint32_t kindOf() {
    if constexpr (std::is_same_v<T, uint8_t>) return 0;
    if constexpr (std::is_same_v<T, uint32_t>) return 4;
    if constexpr (std::is_same_v<T, int32_t>) return 5;
    if constexpr (std::is_same_v<T, float>) return 6;
    if constexpr (std::is_same_v<T, bool>) return 7;
    if constexpr (std::is_same_v<T, std::string>) return 8;
}
constexpr uint32_t kArrayKind = 9;

struct AddField {
    HeaderBytes& header;

    void operator()(bool value) const {
        header.add(kindOf<bool>());
        header.add(static_cast<uint8_t>(value ? 1 : 0));
    }
    void operator()(const std::string& text) const {
        header.add(kindOf<std::string>());
        header.add(std::string_view(text));
    }
    template <class T>
    void operator()(T value) const {
        header.add(kindOf<T>());
        header.add(value);
    }
    template <class T>
    void operator()(const std::vector<T>& values) const {
        header.add(kArrayKind);
        header.add(kindOf<T>());
        header.add(static_cast<uint64_t>(values.size()));
        for (const T& value : values) {
            if constexpr (std::is_same_v<T, std::string>) {
                header.add(std::string_view(value));
            } else {
                header.add(value);
            }
        }
    }
};

void requireName(std::string_view name, bool isNew, const std::string& source) {
    if (isNew && !name.empty()) return;
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("{}: '{}' is {}", source, name, name.empty() ? "an empty name" : "declared twice")};
}

std::string headerOf(const GgufMetadata& metadata, const std::vector<GgufDeclaration>& tensors,
                     const std::string& source) {
    HeaderBytes header;
    header.addRaw("GGUF");
    header.add(uint32_t{3});
    header.add(static_cast<uint64_t>(tensors.size()));
    header.add(static_cast<uint64_t>(metadata.size()));
    std::set<std::string_view> seen;
    for (const GgufEntry& entry : metadata) {
        requireName(entry.key, seen.insert(entry.key).second, source);
        header.add(std::string_view(entry.key));
        std::visit(AddField{header}, entry.value);
    }
    uint64_t offset = 0;
    seen.clear();
    for (const GgufDeclaration& tensor : tensors) {
        requireName(tensor.name, seen.insert(tensor.name).second, source);
        if (tensor.name.size() > kMaxNameBytes) {
            throw Error{ErrorCode::InvalidArgument, fmt::format("{}: tensor name '{}' is longer than {} bytes", source,
                                                                tensor.name, kMaxNameBytes)};
        }
        const size_t bytes = ggufTensorBytes(tensor);
        header.add(std::string_view(tensor.name));
        header.add(static_cast<uint32_t>(tensor.shape.size()));
        for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent)
            header.add(static_cast<uint64_t>(*extent));
        header.add(static_cast<uint32_t>(tensor.type));
        header.add(offset);
        offset += bytes + paddingOf(bytes);
    }
    header.addRaw(std::string(paddingOf(header.bytes().size()), '\0'));
    return header.bytes();
}

}  // namespace

size_t ggufTensorBytes(const GgufDeclaration& tensor) {
    const auto block = ggufBlockOf(tensor.type);
    constexpr size_t kMaxRank = 4;
    const bool isEmpty = tensor.shape.empty() || std::ranges::any_of(tensor.shape, [](int64_t e) { return e < 1; });
    if (!block || isEmpty || tensor.shape.size() > kMaxRank ||
        static_cast<uint64_t>(tensor.shape.back()) % block->values != 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("tensor '{}' of shape [{}] cannot be stored as {}", tensor.name,
                                fmt::join(tensor.shape, ", "), ggufTypeName(tensor.type))};
    }
    uint64_t count = 1;
    for (const int64_t extent : tensor.shape) count *= static_cast<uint64_t>(extent);
    return static_cast<size_t>(count / block->values * block->bytes);
}

GgufWriter::GgufWriter(const std::filesystem::path& path, const GgufMetadata& metadata,
                       std::vector<GgufDeclaration> tensors)
    : m_file(path), m_tensors(std::move(tensors)), m_sourceName(path.string()) {
    m_file.write(headerOf(metadata, m_tensors, m_sourceName));
}

void GgufWriter::write(std::string_view name, std::span<const std::byte> bytes) {
    const GgufDeclaration* expected = m_next < m_tensors.size() ? &m_tensors[m_next] : nullptr;
    if (expected == nullptr || expected->name != name || ggufTensorBytes(*expected) != bytes.size()) {
        throw Error{
            ErrorCode::InvalidArgument,
            fmt::format("{}: tensor '{}' of {} bytes is written where {} belongs", m_sourceName, name, bytes.size(),
                        expected == nullptr ? std::string("nothing")
                                            : fmt::format("'{}' of {}", expected->name, ggufTensorBytes(*expected)))};
    }
    m_file.write(bytes);
    m_file.write(std::string(paddingOf(bytes.size()), '\0'));
    ++m_next;
}

WrittenFile GgufWriter::finish() {
    if (m_next < m_tensors.size()) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: tensor '{}' was declared and not written", m_sourceName, m_tensors[m_next].name)};
    }
    return m_file.commit();
}

}  // namespace wb::core
