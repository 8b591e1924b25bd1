// SPDX-License-Identifier: Apache-2.0
#include "core/format/safetensors_header.h"

#include "kernels/base/error.h"

#include <fmt/format.h>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace wb::core {
namespace {

struct ElementType {
    std::string_view name;
    uint64_t bytes;
    std::optional<DType> dtype;
};

constexpr std::array kElementTypes{
    ElementType{"F32", 4, DType::F32},       ElementType{"F16", 2, DType::F16},
    ElementType{"BF16", 2, DType::BF16},     ElementType{"F64", 8, DType::F64},
    ElementType{"I64", 8, DType::I64},       ElementType{"I32", 4, DType::I32},
    ElementType{"I8", 1, DType::I8},         ElementType{"U8", 1, DType::U8},
    ElementType{"BOOL", 1, std::nullopt},    ElementType{"I16", 2, std::nullopt},
    ElementType{"U16", 2, std::nullopt},     ElementType{"U32", 4, std::nullopt},
    ElementType{"U64", 8, std::nullopt},     ElementType{"F8_E4M3", 1, std::nullopt},
    ElementType{"F8_E5M2", 1, std::nullopt},
};

constexpr size_t kMaxRank = 16;

// The states are the places in {"name": {"dtype": .., "shape": [..], "data_offsets": [..]}, "__metadata__": {..}}.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
public:
    HeaderHandler(const std::string& source, std::vector<TensorEntry>& tensors,
                  std::map<std::string, std::string>& metadata)
        : m_source(source), m_tensors(tensors), m_metadata(metadata) {}

    bool start_object(size_t) override {
        if (m_skippedDepth > 0) return ++m_skippedDepth, true;
        switch (m_place) {
            case Place::Outside: m_place = Place::Header; return true;
            case Place::TensorValue: m_place = Place::Tensor; return true;
            case Place::MetadataValue: m_place = Place::Metadata; return true;
            case Place::UnknownValue: m_skippedDepth = 1; return true;
            default: fail("an object stands where none belongs");
        }
    }

    bool end_object() override {
        if (m_skippedDepth > 0) return endSkipped();
        if (m_place == Place::Tensor) {
            finishTensor();
            m_place = Place::Header;
        } else if (m_place == Place::Metadata) {
            m_place = Place::Header;
        }
        return true;
    }

    bool start_array(size_t) override {
        if (m_skippedDepth > 0) return ++m_skippedDepth, true;
        switch (m_place) {
            case Place::ShapeValue: m_place = Place::Shape; return true;
            case Place::OffsetsValue: m_place = Place::Offsets; return true;
            case Place::UnknownValue: m_skippedDepth = 1; return true;
            default: fail("an array stands where none belongs");
        }
    }

    bool end_array() override {
        if (m_skippedDepth > 0) return endSkipped();
        m_place = Place::Tensor;
        return true;
    }

    bool key(std::string& text) override {
        if (m_skippedDepth > 0) return true;
        if (m_place == Place::Header) {
            if (!m_names.insert(text).second) fail(fmt::format("the name '{}' occurs twice", text));
            m_place = text == "__metadata__" ? Place::MetadataValue : Place::TensorValue;
            if (m_place == Place::TensorValue) startTensor(text);
        } else if (m_place == Place::Metadata) {
            m_metadataKey = text;
            m_place = Place::MetadataText;
        } else {
            startField(text);
        }
        return true;
    }

    bool string(std::string& text) override {
        if (m_skippedDepth > 0) return true;
        if (m_place == Place::MetadataText) {
            m_metadata[m_metadataKey] = text;
            m_place = Place::Metadata;
        } else if (m_place == Place::DtypeValue) {
            m_entry.dtypeText = text;
            m_place = Place::Tensor;
        } else {
            scalar();
        }
        return true;
    }

    bool number_unsigned(uint64_t value) override {
        if (m_skippedDepth > 0) return true;
        if (m_place == Place::Shape) {
            if (m_entry.shape.size() == kMaxRank)
                fail(fmt::format("tensor '{}' has more than {} axes", m_entry.name, kMaxRank));
            if (value > static_cast<uint64_t>(INT64_MAX))
                fail(fmt::format("tensor '{}' has an extent of {}", m_entry.name, value));
            m_entry.shape.push_back(static_cast<int64_t>(value));
        } else if (m_place == Place::Offsets) {
            if (m_numOffsets == 2) fail(fmt::format("tensor '{}' has more than two data_offsets", m_entry.name));
            (m_numOffsets++ == 0 ? m_entry.begin : m_entry.end) = value;
        } else {
            scalar();
        }
        return true;
    }

    bool null() override { return scalar(); }
    bool boolean(bool) override { return scalar(); }
    bool number_integer(int64_t) override { return scalar(); }  // only negative numbers come here
    bool number_float(double, const std::string&) override { return scalar(); }
    bool binary(nlohmann::json::binary_t&) override { return scalar(); }

    bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) override {
        fail(fmt::format("JSON error at byte {} of the header: {}", position, error.what()));
    }

private:
    enum class Place {
        Outside,
        Header,
        TensorValue,
        Tensor,
        DtypeValue,
        ShapeValue,
        Shape,
        OffsetsValue,
        Offsets,
        MetadataValue,
        Metadata,
        MetadataText,
        UnknownValue,
    };

    [[noreturn]] void fail(const std::string& what) const {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: bad safetensors header: {}", m_source, what)};
    }

    // A value of a type that has no place in a header, unless it belongs to a field we do not know.
    bool scalar() {
        if (m_skippedDepth > 0) return true;
        if (m_place != Place::UnknownValue) {
            fail(fmt::format("a value of a wrong type near tensor '{}'", m_entry.name));
        }
        m_place = Place::Tensor;
        return true;
    }

    bool endSkipped() {
        if (--m_skippedDepth == 0) m_place = Place::Tensor;
        return true;
    }

    void startTensor(const std::string& name) {
        m_entry = TensorEntry{};
        m_entry.name = name;
        m_fields.clear();
        m_numOffsets = 0;
    }

    void startField(const std::string& field) {
        if (!m_fields.insert(field).second) fail(fmt::format("tensor '{}' has '{}' twice", m_entry.name, field));
        if (field == "dtype")
            m_place = Place::DtypeValue;
        else if (field == "shape")
            m_place = Place::ShapeValue;
        else if (field == "data_offsets")
            m_place = Place::OffsetsValue;
        else
            m_place = Place::UnknownValue;
    }

    void finishTensor() {
        for (const char* field : {"dtype", "shape", "data_offsets"}) {
            if (!m_fields.contains(field)) fail(fmt::format("tensor '{}' has no '{}'", m_entry.name, field));
        }
        if (m_numOffsets != 2) fail(fmt::format("tensor '{}' has {} data_offsets, not 2", m_entry.name, m_numOffsets));
        const auto type = std::ranges::find(kElementTypes, m_entry.dtypeText, &ElementType::name);
        if (type == kElementTypes.end()) {
            fail(fmt::format("tensor '{}' has the unknown element type '{}'", m_entry.name, m_entry.dtypeText));
        }
        m_entry.dtype = type->dtype;
        if (m_entry.begin > m_entry.end) {
            fail(fmt::format("tensor '{}' begins at {} and ends at {}", m_entry.name, m_entry.begin, m_entry.end));
        }
        const uint64_t bytes = shapeBytes(type->bytes);
        if (bytes != m_entry.end - m_entry.begin) {
            fail(fmt::format("tensor '{}' of shape [{}] and type {} needs {} bytes, its range {}..{} has {}",
                             m_entry.name, fmt::join(m_entry.shape, ", "), m_entry.dtypeText, bytes, m_entry.begin,
                             m_entry.end, m_entry.end - m_entry.begin));
        }
        m_tensors.push_back(std::move(m_entry));
        m_entry = TensorEntry{};
    }

    uint64_t shapeBytes(uint64_t elementBytes) const {
        uint64_t bytes = elementBytes;
        bool isEmpty = false;
        for (const int64_t extent : m_entry.shape) {
            if (extent == 0)
                isEmpty = true;
            else if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) {
                fail(fmt::format("tensor '{}' of shape [{}] is larger than any memory", m_entry.name,
                                 fmt::join(m_entry.shape, ", ")));
            }
        }
        return isEmpty ? 0 : bytes;
    }

    const std::string& m_source;
    std::vector<TensorEntry>& m_tensors;
    std::map<std::string, std::string>& m_metadata;
    Place m_place = Place::Outside;
    size_t m_skippedDepth = 0;
    TensorEntry m_entry;
    int m_numOffsets = 0;
    std::unordered_set<std::string> m_names;
    std::unordered_set<std::string> m_fields;
    std::string m_metadataKey;
};

}  // namespace

void parseSafetensorsHeader(std::string_view header, const std::string& sourceName, std::vector<TensorEntry>& tensors,
                            std::map<std::string, std::string>& metadata) {
    if (!header.starts_with('{')) {
        throw Error{ErrorCode::CorruptFile, fmt::format("{}: the header does not begin with '{{'", sourceName)};
    }
    HeaderHandler handler(sourceName, tensors, metadata);
    nlohmann::json::sax_parse(header.begin(), header.end(), &handler);
}

}  // namespace wb::core
