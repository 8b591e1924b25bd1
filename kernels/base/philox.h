// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011): a counter-based
// generator. Draw i of a key is a pure function of (key, i), so nothing is stored and any order gives the same numbers.
#pragma once

#include <array>
#include <cstdint>

namespace wb {

using PhiloxBlock = std::array<uint32_t, 4>;

// The four 32-bit words of one counter value.
constexpr PhiloxBlock philoxBlock(PhiloxBlock counter, std::array<uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t product0 = uint64_t{0xD2511F53U} * counter[0];
        const uint64_t product1 = uint64_t{0xCD9E8D57U} * counter[2];
        counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
                   static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
        key[0] += 0x9E3779B9U;
        key[1] += 0xBB67AE85U;
    }
    return counter;
}

// Words 4 * block .. 4 * block + 3 of the stream of `seed`; `stream` separates users of one seed.
constexpr PhiloxBlock philoxBlock(uint64_t seed, uint64_t block, uint64_t stream = 0) {
    return philoxBlock(PhiloxBlock{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                   static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                       {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

// Word `draw` of the stream of `seed`.
constexpr uint32_t philoxWord(uint64_t seed, uint64_t draw, uint64_t stream = 0) {
    return philoxBlock(seed, draw / 4, stream)[draw % 4];
}

// Uniform in [0, 1) with 24 bits.
constexpr float philoxUnit(uint32_t word) {
    return static_cast<float>(word >> 8) * 0x1p-24F;
}

}  // namespace wb
