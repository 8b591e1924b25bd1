// SPDX-License-Identifier: Apache-2.0
#include "core/format/gguf_narrow.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/q8_block.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

namespace wb::core {
namespace {

struct WeightType {
    std::string_view name;
    GgufType type;
};

constexpr std::array kWeightTypes{WeightType{"f32", GgufType::F32}, WeightType{"f16", GgufType::F16},
                                  WeightType{"bf16", GgufType::BF16}, WeightType{"q8_0", GgufType::Q8_0}};

template <class Stored>
std::vector<std::byte> narrowed(std::span<const float> values) {
    std::vector<std::byte> bytes(values.size() * sizeof(Stored));
    std::byte* out = bytes.data();
    for (const float value : values) {
        const Stored stored(value);
        std::memcpy(out, &stored, sizeof(stored));
        out += sizeof(stored);
    }
    return bytes;
}

std::vector<std::byte> narrowedToQ8(std::span<const float> values, std::string_view tensorName) {
    if (values.size() % Q8Block::kLength != 0) {
        throw Error{ErrorCode::InvalidArgument,
                    fmt::format("tensor '{}': {} values do not fill blocks of 32", tensorName, values.size())};
    }
    std::vector<std::byte> bytes(values.size() / Q8Block::kLength * sizeof(Q8Block));
    std::byte* out = bytes.data();
    for (size_t begin = 0; begin < values.size(); begin += Q8Block::kLength, out += sizeof(Q8Block)) {
        const Q8Block block = quantizeQ8(values.data() + begin);
        std::memcpy(out, &block, sizeof(block));
    }
    return bytes;
}

// Half precision ends at 65504; Q8_0 keeps a 127th of the largest value of a block in it.
void requireRange(std::span<const float> values, float limit, GgufType type, std::string_view tensorName) {
    const auto isOutside = [&](float value) { return !(std::abs(value) <= limit); };  // true for NaN
    const auto outside = std::ranges::find_if(values, isOutside);
    if (outside == values.end()) return;
    throw Error{ErrorCode::Unsupported, fmt::format("tensor '{}' holds {}, which {} cannot; export as bf16 or f32",
                                                    tensorName, *outside, ggufTypeName(type))};
}

}  // namespace

GgufType parseGgufWeightType(std::string_view name) {
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    const auto found = std::ranges::find(kWeightTypes, lower, &WeightType::name);
    if (found != kWeightTypes.end()) return found->type;
    throw Error{
        ErrorCode::InvalidArgument,
        fmt::format("'{}' is no element type of GGUF that is written; those are f32, f16, bf16 and q8_0", name)};
}

GgufType ggufTypeFor(GgufType wanted, std::string_view ggufName, std::span<const int64_t> shape) {
    // Positions are looked up and added, which is done in single precision.
    if (shape.size() < 2 || ggufName.starts_with("position_embd.")) return GgufType::F32;
    const auto columns = static_cast<uint64_t>(shape.back());
    return columns % ggufBlockOf(wanted)->values == 0 ? wanted : GgufType::F16;
}

std::vector<std::byte> narrowForGguf(GgufType type, std::span<const float> values, std::string_view tensorName) {
    constexpr float kLargestHalf = 65504.0F;
    switch (type) {
        case GgufType::F32: return narrowed<float>(values);
        case GgufType::BF16: return narrowed<BFloat16>(values);
        case GgufType::F16: requireRange(values, kLargestHalf, type, tensorName); return narrowed<Float16>(values);
        case GgufType::Q8_0:
            requireRange(values, 127.0F * kLargestHalf, type, tensorName);
            return narrowedToQ8(values, tensorName);
        default: break;
    }
    throw Error{ErrorCode::InvalidArgument,
                fmt::format("tensor '{}': {} is not written", tensorName, ggufTypeName(type))};
}

}  // namespace wb::core
