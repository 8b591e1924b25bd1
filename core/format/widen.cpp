// SPDX-License-Identifier: Apache-2.0
#include "core/format/widen.h"

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"
#include "kernels/base/q4_block.h"

#include <fmt/format.h>
#include <cstring>

namespace wb::core {
namespace {

// Files place tensors at any byte, so elements are copied out instead of being read through a typed pointer.
template <class Stored>
void widen(std::span<const std::byte> bytes, std::span<float> out) {
    const std::byte* source = bytes.data();
    for (size_t i = 0; i < out.size(); ++i, source += sizeof(Stored)) {
        Stored stored;
        std::memcpy(&stored, source, sizeof(Stored));
        out[i] = static_cast<float>(stored);
    }
}

void widenQ8(std::span<const std::byte> bytes, std::span<float> out) {
    constexpr size_t kBlock = 32;
    const std::byte* source = bytes.data();
    for (size_t begin = 0; begin < out.size(); begin += kBlock) {
        Float16 stored;
        std::memcpy(&stored, source, sizeof(stored));
        const auto scale = static_cast<float>(stored);
        source += sizeof(stored);
        for (size_t i = 0; i < kBlock; ++i, ++source) {
            out[begin + i] = scale * static_cast<float>(static_cast<int8_t>(*source));
        }
    }
}

void widenQ4(std::span<const std::byte> bytes, std::span<float> out) {
    for (size_t begin = 0; begin < out.size(); begin += Q4Block::kLength) {
        Q4Block block;
        std::memcpy(&block, bytes.data() + begin / Q4Block::kLength * sizeof(block), sizeof(block));
        const auto scale = static_cast<float>(block.scale);
        for (size_t i = 0; i < Q4Block::kLength; ++i) out[begin + i] = static_cast<float>(block.nibble(i) - 8) * scale;
    }
}

}  // namespace

void widenToFloat(DType dtype, std::span<const std::byte> bytes, std::span<float> out, std::string_view what) {
    if (dtypeBytes(dtype, out.size()) != bytes.size()) {
        throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {} bytes do not hold {} elements of {}", what,
                                                            bytes.size(), out.size(), dtypeName(dtype))};
    }
    if (out.empty()) return;
    switch (dtype) {
        case DType::F32: std::memcpy(out.data(), bytes.data(), bytes.size()); return;
        case DType::F64: widen<double>(bytes, out); return;
        case DType::F16: widen<Float16>(bytes, out); return;
        case DType::BF16: widen<BFloat16>(bytes, out); return;
        case DType::Q8_0: widenQ8(bytes, out); return;
        case DType::Q4_0: widenQ4(bytes, out); return;
        default: break;
    }
    throw Error{ErrorCode::InvalidArgument, fmt::format("{}: {} are no weights", what, dtypeName(dtype))};
}

}  // namespace wb::core
