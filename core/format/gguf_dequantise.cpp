// SPDX-License-Identifier: Apache-2.0
// Blocks hold small integers q and, in half precision, a scale d and perhaps a minimum m: x = d q or x = d q + m. Those
// of 256 values (the "K" types) cut themselves into groups of 16 or 32 with small integer scales of their own, which
// multiply d and m. Sums and products are taken in the order of ggml, so that every bit agrees.
#include "core/format/gguf_dequantise.h"

#include "core/format/widen.h"
#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"

#include <fmt/format.h>
#include <array>
#include <cstring>

namespace wb::core {
namespace {

constexpr size_t kSmallBlock = 32;
constexpr size_t kLargeBlock = 256;

float half(const uint8_t* bytes) {
    Float16 value;
    std::memcpy(&value, bytes, sizeof(value));
    return static_cast<float>(value);
}

// Blocks of 32: byte j holds value j in its low four bits and value j + 16 in its high ones.
int nibble(const uint8_t* bytes, size_t index) {
    return index < 16 ? bytes[index] & 15 : bytes[index - 16] >> 4;
}

int fifthBit(const uint8_t* bits, size_t index) {
    return ((bits[index / 8] >> (index % 8)) & 1) << 4;
}

void widenQ4Symmetric(const uint8_t* block, float* out) {
    const float d = half(block);
    for (size_t i = 0; i < kSmallBlock; ++i) out[i] = static_cast<float>(nibble(block + 2, i) - 8) * d;
}

void widenQ4WithMinimum(const uint8_t* block, float* out) {
    const float d = half(block);
    const float m = half(block + 2);
    for (size_t i = 0; i < kSmallBlock; ++i) out[i] = static_cast<float>(nibble(block + 4, i)) * d + m;
}

void widenQ5Symmetric(const uint8_t* block, float* out) {
    const float d = half(block);
    for (size_t i = 0; i < kSmallBlock; ++i) {
        out[i] = static_cast<float>((nibble(block + 6, i) | fifthBit(block + 2, i)) - 16) * d;
    }
}

void widenQ5WithMinimum(const uint8_t* block, float* out) {
    const float d = half(block);
    const float m = half(block + 2);
    for (size_t i = 0; i < kSmallBlock; ++i) {
        out[i] = static_cast<float>(nibble(block + 8, i) | fifthBit(block + 4, i)) * d + m;
    }
}

// Two bits of value i of a block of 256: each half of the block has 32 bytes, whose bit pairs serve four runs of 32.
int bitPair(const uint8_t* bytes, size_t i) {
    return (bytes[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32))) & 3;
}

void widenQ2K(const uint8_t* block, float* out) {
    const uint8_t* scales = block;
    const uint8_t* pairs = block + 16;
    const float d = half(block + 80);
    const float m = half(block + 82);
    for (size_t i = 0; i < kLargeBlock; ++i) {
        const uint8_t scale = scales[i / 16];
        const float groupScale = d * static_cast<float>(scale & 15);
        const float groupMinimum = m * static_cast<float>(scale >> 4);
        out[i] = groupScale * static_cast<float>(bitPair(pairs, i)) - groupMinimum;
    }
}

// Sixteen 6-bit scales in 12 bytes: low four bits in the nibbles of the first eight, high two bits in the last four.
int sixBitScale(const uint8_t* bytes, size_t group) {
    const int low = group < 8 ? bytes[group] & 15 : bytes[group - 8] >> 4;
    const int high = (bytes[8 + group % 4] >> (2 * (group / 4))) & 3;
    return low | high << 4;
}

void widenQ3K(const uint8_t* block, float* out) {
    const uint8_t* thirdBits = block;
    const uint8_t* pairs = block + 32;
    const uint8_t* scales = block + 96;
    const float d = half(block + 108);
    for (size_t i = 0; i < kLargeBlock; ++i) {
        const float groupScale = d * static_cast<float>(sixBitScale(scales, i / 16) - 32);
        const bool isHigh = ((thirdBits[i % 32] >> (i / 32)) & 1) != 0;
        out[i] = groupScale * static_cast<float>(bitPair(pairs, i) - (isHigh ? 0 : 4));
    }
}

struct ScaleAndMinimum {
    int scale = 0;
    int minimum = 0;
};

// Eight 6-bit scales and minima in 12 bytes: the first four whole in bytes 0-3 and 4-7, whose two top bits belong to
// the other four, the rest of which is in bytes 8-11.
ScaleAndMinimum scaleAndMinimum(const uint8_t* bytes, size_t group) {
    if (group < 4) return {bytes[group] & 63, bytes[group + 4] & 63};
    return {(bytes[group + 4] & 15) | (bytes[group - 4] >> 6) << 4, bytes[group + 4] >> 4 | (bytes[group] >> 6) << 4};
}

// Q4_K, and Q5_K with the fifth bits: group g has its low four bits in the nibbles of run g / 2 of 32 bytes.
void widenGroupsOf32(const uint8_t* block, const uint8_t* nibbles, const uint8_t* fifthBits, float* out) {
    const float d = half(block);
    const float m = half(block + 2);
    for (size_t group = 0; group < 8; ++group) {
        const ScaleAndMinimum stored = scaleAndMinimum(block + 4, group);
        const float groupScale = d * static_cast<float>(stored.scale);
        const float groupMinimum = m * static_cast<float>(stored.minimum);
        const uint8_t* run = nibbles + group / 2 * 32;
        for (size_t i = 0; i < 32; ++i) {
            int q = group % 2 == 0 ? run[i] & 15 : run[i] >> 4;
            if (fifthBits != nullptr) q |= ((fifthBits[i] >> group) & 1) << 4;
            out[group * 32 + i] = groupScale * static_cast<float>(q) - groupMinimum;
        }
    }
}

void widenQ4K(const uint8_t* block, float* out) {
    widenGroupsOf32(block, block + 16, nullptr, out);
}

void widenQ5K(const uint8_t* block, float* out) {
    widenGroupsOf32(block, block + 48, block + 16, out);
}

void widenQ6K(const uint8_t* block, float* out) {
    const uint8_t* nibbles = block;
    const uint8_t* pairs = block + 128;
    const uint8_t* scales = block + 192;
    const float d = half(block + 208);
    for (size_t i = 0; i < kLargeBlock; ++i) {
        // Within each half of the block: 64 bytes whose low nibbles serve the first 64 values, the high ones the
        // others.
        const uint8_t byte = nibbles[i / 128 * 64 + i % 64];
        const int low = i % 128 < 64 ? byte & 15 : byte >> 4;
        const int q = (low | bitPair(pairs, i) << 4) - 32;
        out[i] = d * static_cast<float>(static_cast<int8_t>(scales[i / 16])) * static_cast<float>(q);
    }
}

using WidenBlock = void (*)(const uint8_t* block, float* out);

WidenBlock blockWidenerOf(GgufType type) {
    switch (type) {
        case GgufType::Q4_0: return widenQ4Symmetric;
        case GgufType::Q4_1: return widenQ4WithMinimum;
        case GgufType::Q5_0: return widenQ5Symmetric;
        case GgufType::Q5_1: return widenQ5WithMinimum;
        case GgufType::Q2_K: return widenQ2K;
        case GgufType::Q3_K: return widenQ3K;
        case GgufType::Q4_K: return widenQ4K;
        case GgufType::Q5_K: return widenQ5K;
        case GgufType::Q6_K: return widenQ6K;
        default: return nullptr;
    }
}

}  // namespace

void dequantiseGguf(GgufType type, std::span<const std::byte> bytes, std::span<float> out,
                    std::string_view tensorName) {
    const auto dtype = dtypeOfGguf(type);
    if (!dtype) {
        throw Error{ErrorCode::Unsupported,
                    fmt::format("tensor '{}' is stored as {}; supported are F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
                                "Q5_1, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K, so get the model in one of these",
                                tensorName, ggufTypeName(type))};
    }
    const WidenBlock widenBlock = blockWidenerOf(type);
    if (widenBlock == nullptr) {
        widenToFloat(*dtype, bytes, out, tensorName);
        return;
    }
    const GgufBlock block = *ggufBlockOf(type);
    if (out.size() % block.values != 0 || out.size() / block.values * block.bytes != bytes.size()) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {} bytes do not hold {} elements of {}", tensorName,
                                                            bytes.size(), out.size(), ggufTypeName(type))};
    }
    const auto* source = reinterpret_cast<const uint8_t*>(bytes.data());
    for (size_t begin = 0; begin < out.size(); begin += block.values, source += block.bytes) {
        widenBlock(source, out.data() + begin);
    }
}

}  // namespace wb::core
