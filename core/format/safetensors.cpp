// SPDX-License-Identifier: Apache-2.0
#include "core/format/safetensors.h"

#include "core/format/foreign_weights.h"
#include "core/format/safetensors_header.h"
#include "kernels/base/byte_reader.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace wb::core {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

// Every byte of the data area belongs to exactly one tensor.
void checkCoverage(std::vector<TensorEntry>& tensors, uint64_t dataBytes, const std::string& source) {
    std::ranges::stable_sort(tensors, {}, [](const TensorEntry& entry) { return std::pair(entry.begin, entry.end); });
    uint64_t position = 0;
    const TensorEntry* previous = nullptr;
    for (const TensorEntry& entry : tensors) {
        if (entry.begin < position) {
            throw Error{ErrorCode::CorruptFile,
                        fmt::format("{}: tensors '{}' and '{}' overlap: the second begins at {}, the first ends at {}",
                                    source, previous->name, entry.name, entry.begin, position)};
        }
        if (entry.begin > position) {
            throw Error{ErrorCode::CorruptFile, fmt::format("{}: bytes {} to {} in front of tensor '{}' belong to none",
                                                            source, position, entry.begin, entry.name)};
        }
        position = entry.end;
        previous = &entry;
    }
    if (position > dataBytes) {
        throw Error{
            ErrorCode::CorruptFile,
            fmt::format("{}: is truncated: tensor '{}' ends at {}, the data area has {} bytes; fetch the file again",
                        source, previous->name, position, dataBytes)};
    }
    if (position < dataBytes) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: {} bytes after the last tensor belong to none", source, dataBytes - position)};
    }
}

uint64_t declaredBytes(const TensorDeclaration& tensor) {
    uint64_t count = 1;
    for (const int64_t extent : tensor.shape) {
        if (extent < 0) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("tensor '{}' has a negative extent {}", tensor.name, extent)};
        }
        count *= static_cast<uint64_t>(extent);
    }
    return dtypeBytes(tensor.dtype, count);
}

std::string headerText(const std::vector<TensorDeclaration>& tensors,
                       const std::map<std::string, std::string>& metadata) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::unordered_set<std::string> names{"__metadata__"};
    uint64_t position = 0;
    for (const TensorDeclaration& tensor : tensors) {
        if (!names.insert(tensor.name).second) {
            throw Error{ErrorCode::InvalidArgument,
                        fmt::format("tensor name '{}' is used twice or reserved", tensor.name)};
        }
        if (isBlocked(tensor.dtype) || isTiled(tensor.dtype)) {
            throw Error{ErrorCode::InvalidArgument, fmt::format("tensor '{}' is {}, which safetensors cannot hold",
                                                                tensor.name, dtypeName(tensor.dtype))};
        }
        const uint64_t end = position + declaredBytes(tensor);
        // Names are unique, so appending skips the search that operator[] of an ordered object makes.
        header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(
            tensor.name,
            nlohmann::ordered_json{
                {"dtype", dtypeName(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {position, end}}});
        position = end;
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
    SafetensorsFile result(MappedFile::open(path));
    const std::string source = path.string();
    const auto bytes = result.m_file.bytes();
    refuseForeignWeights(bytes, source, WeightContainer::Safetensors);

    ByteReader reader(bytes, source);
    const auto headerBytes = reader.read<uint64_t>();
    if (headerBytes > kMaxHeaderBytes) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: header of {} bytes exceeds the limit of {}; this is no "
                                                        "safetensors file or it is damaged",
                                                        source, headerBytes, kMaxHeaderBytes)};
    }
    if (headerBytes > reader.remaining()) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: is truncated: the header needs {} bytes, {} are left",
                                                        source, headerBytes, reader.remaining())};
    }
    const auto header = reader.take(static_cast<size_t>(headerBytes));
    parseSafetensorsHeader({reinterpret_cast<const char*>(header.data()), header.size()}, source, result.m_tensors,
                           result.m_metadata);
    result.m_dataOffset = kLengthBytes + header.size();
    checkCoverage(result.m_tensors, reader.remaining(), source);
    for (size_t i = 0; i < result.m_tensors.size(); ++i) result.m_indexByName.emplace(result.m_tensors[i].name, i);
    return result;
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const {
    const auto found = m_indexByName.find(std::string(name));
    return found == m_indexByName.end() ? nullptr : &m_tensors[found->second];
}

std::span<const std::byte> SafetensorsFile::bytes(std::string_view name) const {
    const TensorEntry* entry = find(name);
    if (entry == nullptr) {
        throw Error{ErrorCode::NotFound, fmt::format("{}: has no tensor '{}'", path().string(), name)};
    }
    return bytes(*entry);
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorEntry& entry) const {
    return m_file.bytes().subspan(m_dataOffset + static_cast<size_t>(entry.begin), static_cast<size_t>(entry.bytes()));
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : m_file(path), m_tensors(std::move(tensors)), m_sourceName(path.string()) {
    const std::string header = headerText(m_tensors, metadata);
    const auto length = static_cast<uint64_t>(header.size());
    m_file.write(std::as_bytes(std::span(&length, 1)));
    m_file.write(header);
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> bytes) {
    if (m_next == m_tensors.size()) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: tensor '{}' comes after the last declared one", m_sourceName, name)};
    }
    const TensorDeclaration& expected = m_tensors[m_next];
    if (name != expected.name || bytes.size() != declaredBytes(expected)) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: tensor '{}' of {} bytes given where '{}' of {} bytes was declared", m_sourceName,
                                name, bytes.size(), expected.name, declaredBytes(expected))};
    }
    m_file.write(bytes);
    ++m_next;
}

WrittenFile SafetensorsWriter::finish() {
    if (m_next != m_tensors.size()) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("{}: tensor '{}' was declared and not written", m_sourceName, m_tensors[m_next].name)};
    }
    return m_file.commit();
}

}  // namespace wb::core
