// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf.h"

#include "core/format/foreign_weights.h"
#include "kernels/base/byte_reader.h"
#include "kernels/base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <bit>

namespace wb::core {
namespace {

enum class ValueKind : uint32_t {
    Uint8,
    Int8,
    Uint16,
    Int16,
    Uint32,
    Int32,
    Float32,
    Bool,
    String,
    Array,
    Uint64,
    Int64,
    Float64,
};

// The fewest bytes one value of a kind occupies: what a count is checked against before anything is allocated.
size_t minimumBytes(ValueKind kind, const ByteReader& reader) {
    switch (kind) {
        case ValueKind::Uint8:
        case ValueKind::Int8:
        case ValueKind::Bool: return 1;
        case ValueKind::Uint16:
        case ValueKind::Int16: return 2;
        case ValueKind::Uint32:
        case ValueKind::Int32:
        case ValueKind::Float32: return 4;
        case ValueKind::String:
        case ValueKind::Uint64:
        case ValueKind::Int64:
        case ValueKind::Float64: return 8;
        case ValueKind::Array: return 12;
    }
    reader.fail(fmt::format("unknown metadata type {}", static_cast<uint32_t>(kind)));
}

size_t readCount(ByteReader& reader, size_t bytesEach, const char* what) {
    const auto count = reader.read<uint64_t>();
    if (count > reader.remaining() / bytesEach) {
        reader.fail(fmt::format("{} {} cannot fit into the {} bytes that are left", count, what, reader.remaining()));
    }
    return static_cast<size_t>(count);
}

std::string readString(ByteReader& reader) {
    return reader.readText(readCount(reader, 1, "characters of text"));
}

// Names become map keys and end up in messages.
std::string readName(ByteReader& reader) {
    constexpr size_t kMaxNameBytes = 4096;
    std::string name = readString(reader);
    if (name.size() > kMaxNameBytes) reader.fail(fmt::format("a name of {} bytes", name.size()));
    return name;
}

bool readBool(ByteReader& reader) {
    const auto byte = reader.read<uint8_t>();
    if (byte > 1) reader.fail(fmt::format("a truth value of {}", byte));
    return byte == 1;
}

GgufValue readScalar(ByteReader& reader, ValueKind kind) {
    switch (kind) {
        case ValueKind::Uint8: return int64_t{reader.read<uint8_t>()};
        case ValueKind::Int8: return int64_t{reader.read<int8_t>()};
        case ValueKind::Uint16: return int64_t{reader.read<uint16_t>()};
        case ValueKind::Int16: return int64_t{reader.read<int16_t>()};
        case ValueKind::Uint32: return int64_t{reader.read<uint32_t>()};
        case ValueKind::Int32: return int64_t{reader.read<int32_t>()};
        case ValueKind::Int64: return reader.read<int64_t>();
        case ValueKind::Float32: return static_cast<double>(reader.read<float>());
        case ValueKind::Float64: return reader.read<double>();
        case ValueKind::Bool: return readBool(reader);
        case ValueKind::String: return readString(reader);
        case ValueKind::Uint64: {
            const auto value = reader.read<uint64_t>();
            if (value > static_cast<uint64_t>(INT64_MAX)) return static_cast<double>(value);
            return static_cast<int64_t>(value);
        }
        case ValueKind::Array: break;
    }
    reader.fail(fmt::format("metadata type {} where a single value belongs", static_cast<uint32_t>(kind)));
}

GgufValue readArray(ByteReader& reader) {
    const auto kind = static_cast<ValueKind>(reader.read<uint32_t>());
    const size_t count = readCount(reader, minimumBytes(kind, reader), "array elements");
    if (kind == ValueKind::Array) {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: metadata holds an array of arrays", reader.sourceName())};
    }
    if (kind == ValueKind::String) {
        std::vector<std::string> texts;
        texts.reserve(count);
        for (size_t i = 0; i < count; ++i) texts.push_back(readString(reader));
        return texts;
    }
    if (kind == ValueKind::Float32 || kind == ValueKind::Float64) {
        std::vector<double> numbers;
        numbers.reserve(count);
        for (size_t i = 0; i < count; ++i) numbers.push_back(std::get<double>(readScalar(reader, kind)));
        return numbers;
    }
    std::vector<int64_t> integers;
    integers.reserve(count);
    for (size_t i = 0; i < count; ++i) {
        const GgufValue value = readScalar(reader, kind);
        if (const auto* integer = std::get_if<int64_t>(&value))
            integers.push_back(*integer);
        else if (const auto* isTrue = std::get_if<bool>(&value))
            integers.push_back(*isTrue ? 1 : 0);
        else
            reader.fail("an array element beyond the range of 64-bit integers");
    }
    return integers;
}

struct TensorRange {
    GgufTensor tensor;
    uint64_t offset = 0;
    uint64_t bytes = 0;
};

uint64_t tensorBytes(const GgufTensor& tensor, const ByteReader& reader) {
    const std::optional<GgufBlock> block = ggufBlockOf(tensor.type);
    if (!block) {
        throw Error{ErrorCode::Unsupported, fmt::format("{}: tensor '{}' has the unknown {}", reader.sourceName(),
                                                        tensor.name, ggufTypeName(tensor.type))};
    }
    const auto columns = static_cast<uint64_t>(tensor.shape.back());
    if (columns % block->values != 0) {
        reader.fail(fmt::format("tensor '{}' has rows of {} values, no multiple of the block of {}", tensor.name,
                                columns, block->values));
    }
    uint64_t bytes = columns / block->values;
    bool overflows = __builtin_mul_overflow(bytes, block->bytes, &bytes);
    for (size_t axis = 0; axis + 1 < tensor.shape.size(); ++axis) {
        overflows |= __builtin_mul_overflow(bytes, static_cast<uint64_t>(tensor.shape[axis]), &bytes);
    }
    if (overflows) {
        reader.fail(fmt::format("tensor '{}' of shape [{}] is larger than any memory", tensor.name,
                                fmt::join(tensor.shape, ", ")));
    }
    return bytes;
}

TensorRange readTensorInfo(ByteReader& reader) {
    constexpr uint32_t kMaxRank = 4;
    TensorRange range;
    range.tensor.name = readName(reader);
    const auto rank = reader.read<uint32_t>();
    if (rank < 1 || rank > kMaxRank) reader.fail(fmt::format("tensor '{}' has {} axes", range.tensor.name, rank));
    for (uint32_t axis = 0; axis < rank; ++axis) {
        const auto extent = reader.read<uint64_t>();
        if (extent < 1 || extent > static_cast<uint64_t>(INT64_MAX)) {
            reader.fail(fmt::format("tensor '{}' has an extent of {}", range.tensor.name, extent));
        }
        range.tensor.shape.insert(range.tensor.shape.begin(), static_cast<int64_t>(extent));
    }
    range.tensor.type = static_cast<GgufType>(reader.read<uint32_t>());
    range.offset = reader.read<uint64_t>();
    range.bytes = tensorBytes(range.tensor, reader);
    return range;
}

uint64_t readAlignment(const GgufFile& file) {
    constexpr int64_t kDefault = 32;
    constexpr int64_t kMaximum = 1 << 20;
    const int64_t alignment = file.integer("general.alignment").value_or(kDefault);
    if (alignment < 1 || alignment > kMaximum || !std::has_single_bit(static_cast<uint64_t>(alignment))) {
        throw Error{ErrorCode::CorruptFile,
                    fmt::format("{}: 'general.alignment' is {}; it must be a power of two up to {}",
                                file.path().string(), alignment, kMaximum)};
    }
    return static_cast<uint64_t>(alignment);
}

void checkRange(const TensorRange& range, uint64_t alignment, uint64_t dataBytes, const std::string& source) {
    if (range.offset % alignment != 0) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: tensor '{}' begins at {}, no multiple of the alignment {}",
                                                        source, range.tensor.name, range.offset, alignment)};
    }
    if (range.offset > dataBytes || range.bytes > dataBytes - range.offset) {
        throw Error{
            ErrorCode::CorruptFile,
            fmt::format("{}: tensor '{}' needs {} bytes at {}, the data area has {}; the file is truncated or damaged",
                        source, range.tensor.name, range.bytes, range.offset, dataBytes)};
    }
}

void checkOverlap(const std::vector<TensorRange>& ranges, const std::string& source) {
    std::vector<const TensorRange*> sorted;
    for (const TensorRange& range : ranges) sorted.push_back(&range);
    std::ranges::sort(sorted, {}, &TensorRange::offset);
    for (size_t i = 1; i < sorted.size(); ++i) {
        if (sorted[i - 1]->offset + sorted[i - 1]->bytes <= sorted[i]->offset) continue;
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: tensors '{}' and '{}' overlap", source,
                                                        sorted[i - 1]->tensor.name, sorted[i]->tensor.name)};
    }
}

uint32_t readVersion(ByteReader& reader) {
    const std::string& source = reader.sourceName();
    if (reader.readText(4) != "GGUF") {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: is no GGUF file: it does not begin with 'GGUF'", source)};
    }
    const auto version = reader.read<uint32_t>();
    if (version != 0 && (version & 0xffffU) == 0) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("{}: is a big-endian GGUF file; convert it to little-endian", source)};
    }
    if (version == 2 || version == 3) return version;
    throw Error{ErrorCode::Unsupported,
                fmt::format("{}: is GGUF version {}; versions 2 and 3 are supported", source, version)};
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
    GgufFile file(MappedFile::open(path));
    const std::string source = path.string();
    refuseForeignWeights(file.m_file.bytes(), source, WeightContainer::Gguf);
    ByteReader reader(file.m_file.bytes(), source);
    file.m_version = readVersion(reader);
    // name length, rank, one extent, type, offset; key length, kind, one byte
    const size_t numTensors = readCount(reader, 8 + 4 + 8 + 4 + 8, "tensors");
    const size_t numValues = readCount(reader, 8 + 4 + 1, "metadata values");
    for (size_t i = 0; i < numValues; ++i) {
        std::string key = readName(reader);
        const auto kind = static_cast<ValueKind>(reader.read<uint32_t>());
        GgufValue value = kind == ValueKind::Array ? readArray(reader) : readScalar(reader, kind);
        if (!file.m_metadata.emplace(key, std::move(value)).second)
            reader.fail(fmt::format("key '{}' occurs twice", key));
    }
    std::vector<TensorRange> ranges;
    for (size_t i = 0; i < numTensors; ++i) {
        ranges.push_back(readTensorInfo(reader));
        const std::string& name = ranges.back().tensor.name;
        if (!file.m_indexByName.emplace(name, i).second) reader.fail(fmt::format("tensor '{}' occurs twice", name));
    }
    const uint64_t alignment = readAlignment(file);
    const uint64_t dataOffset = (reader.offset() + alignment - 1) / alignment * alignment;
    const uint64_t fileBytes = file.m_file.bytes().size();
    const uint64_t dataBytes = fileBytes > dataOffset ? fileBytes - dataOffset : 0;
    for (TensorRange& range : ranges) checkRange(range, alignment, dataBytes, source);
    checkOverlap(ranges, source);
    for (TensorRange& range : ranges) {
        range.tensor.bytes = file.m_file.bytes().subspan(static_cast<size_t>(dataOffset + range.offset),
                                                         static_cast<size_t>(range.bytes));
        file.m_tensors.push_back(std::move(range.tensor));
    }
    return file;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
    const auto found = m_indexByName.find(name);
    return found == m_indexByName.end() ? nullptr : &m_tensors[found->second];
}

const GgufValue* GgufFile::value(const std::string& key) const {
    const auto found = m_metadata.find(key);
    return found == m_metadata.end() ? nullptr : &found->second;
}

void GgufFile::failKind(const std::string& key, const char* wanted) const {
    throw Error{ErrorCode::CorruptFile, fmt::format("{}: metadata '{}' is not {}", path().string(), key, wanted)};
}

std::optional<int64_t> GgufFile::integer(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return std::nullopt;
    if (const auto* integer = std::get_if<int64_t>(found)) return *integer;
    failKind(key, "a whole number");
}

std::optional<double> GgufFile::number(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return std::nullopt;
    if (const auto* number = std::get_if<double>(found)) return *number;
    if (const auto* integer = std::get_if<int64_t>(found)) return static_cast<double>(*integer);
    failKind(key, "a number");
}

std::optional<bool> GgufFile::boolean(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return std::nullopt;
    if (const auto* isTrue = std::get_if<bool>(found)) return *isTrue;
    failKind(key, "true or false");
}

std::optional<std::string> GgufFile::text(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return std::nullopt;
    if (const auto* text = std::get_if<std::string>(found)) return *text;
    failKind(key, "a text");
}

const std::vector<int64_t>* GgufFile::integers(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return nullptr;
    if (const auto* integers = std::get_if<std::vector<int64_t>>(found)) return integers;
    failKind(key, "a list of whole numbers");
}

const std::vector<double>* GgufFile::numbers(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return nullptr;
    if (const auto* numbers = std::get_if<std::vector<double>>(found)) return numbers;
    failKind(key, "a list of numbers");
}

const std::vector<std::string>* GgufFile::texts(const std::string& key) const {
    const GgufValue* found = value(key);
    if (found == nullptr) return nullptr;
    if (const auto* texts = std::get_if<std::vector<std::string>>(found)) return texts;
    failKind(key, "a list of texts");
}

int64_t GgufFile::requiredInteger(const std::string& key) const {
    const auto found = integer(key);
    if (!found) throw Error{ErrorCode::CorruptFile, fmt::format("{}: metadata '{}' is missing", path().string(), key)};
    return *found;
}

}  // namespace wb::core
