// SPDX-License-Identifier: Apache-2.0
// Storage types for 16-bit floats. Arithmetic is always done in float; these only widen and round.
#pragma once

#include <bit>
#include <cstdint>

namespace wb {

// The upper 16 bits of an IEEE single.
struct BFloat16 {
    uint16_t bits = 0;

    BFloat16() = default;
    explicit BFloat16(float value) {
        const auto u = std::bit_cast<uint32_t>(value);
        const bool isNan = (u & 0x7fffffffU) > 0x7f800000U;
        // Round to nearest even; a NaN keeps its sign and becomes quiet instead of rounding to infinity.
        bits = isNan ? static_cast<uint16_t>((u >> 16) | 0x40U)
                     : static_cast<uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
    }
    explicit operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE half: 1 sign, 5 exponent, 10 fraction bits.
struct Float16 {
    uint16_t bits = 0;

    Float16() = default;
    explicit Float16(float value) : bits(fromFloat(value)) {}
    explicit operator float() const { return toFloat(bits); }

private:
    static uint16_t fromFloat(float value) {
        const auto u = std::bit_cast<uint32_t>(value);
        const auto sign = static_cast<uint16_t>((u >> 16) & 0x8000U);
        const uint32_t magnitude = u & 0x7fffffffU;
        if (magnitude > 0x7f800000U) return static_cast<uint16_t>(sign | 0x7e00U);   // NaN
        if (magnitude >= 0x477ff000U) return static_cast<uint16_t>(sign | 0x7c00U);  // rounds past 65504
        if (magnitude < 0x38800000U) {                                     // subnormal half: let the FPU round
            const float rounded = std::bit_cast<float>(magnitude) + 0.5F;  // ulp of 0.5 is 2^-24
            return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000U));
        }
        const uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
        return static_cast<uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
    }
    static float toFloat(uint16_t h) {
        const uint32_t sign = static_cast<uint32_t>(h & 0x8000U) << 16;
        const uint32_t exponent = (h >> 10) & 0x1fU;
        const uint32_t fraction = h & 0x3ffU;
        if (exponent == 0) {
            const float value = static_cast<float>(fraction) * 0x1p-24F;
            return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
        }
        if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
        return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (fraction << 13));
    }
};

}  // namespace wb
