// SPDX-License-Identifier: Apache-2.0
// Eight-bit numbers for the moments of an optimiser, after the dynamic exponent maps of Dettmers et al. 2021
// (arXiv:2110.02861): seven decades, the larger ones split finer. Level r of 1..2^n in the decade that ends at e is
//   e * (1 + 9 r / 2^n) / 10
// with e = 10^-6, 10^-5, .. 1 and n = 0..6 for signed numbers, 1..7 for unsigned ones. The last level of a decade is
// where the next begins, so that rounding to the nearest level needs no care at the edges; 0 and 1 are exact.
//   signed    code = +-(2^n - 1 + r), in [-127, 127]
//   unsigned  code = 2^n - 2 + r, in [0, 254]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wb {

// Values that share a scale, their largest magnitude.
inline constexpr int64_t kMomentBlock = 256;
// Below this, a block counts as zeros: the inverse of its scale would overflow.
inline constexpr float kSmallestMoment = 1e-37F;

struct DynamicMap {
    static constexpr size_t kDecades = 7;

    std::array<float, kDecades> ends{};     // of decades
    std::array<float, kDecades> factors{};  // code of x in a decade: x * factor + offset, rounded to nearest even
    std::array<float, kDecades> offsets{};
    std::array<float, 256> levels{};  // by code, of signed numbers by code + 128
};

constexpr DynamicMap makeDynamicMap(bool isSigned) {
    DynamicMap map;
    double end = 1e-6;
    for (size_t k = 0; k < DynamicMap::kDecades; ++k, end *= 10) {
        const size_t n = isSigned ? k : k + 1;
        const auto parts = static_cast<double>(size_t{1} << n);
        const double first = isSigned ? parts - 1 : parts - 2;
        map.ends[k] = static_cast<float>(end);
        map.factors[k] = static_cast<float>(10 * parts / (9 * end));
        map.offsets[k] = static_cast<float>(first - parts / 9);
        for (size_t r = 1; r <= (size_t{1} << n); ++r) {
            const auto code = static_cast<size_t>(first) + r;
            const auto level = static_cast<float>(end * (1 + 9 * static_cast<double>(r) / parts) / 10);
            map.levels[isSigned ? 128 + code : code] = level;
            if (isSigned) map.levels[128 - code] = -level;
        }
    }
    return map;
}

inline constexpr DynamicMap kSignedMoments = makeDynamicMap(true);
inline constexpr DynamicMap kUnsignedMoments = makeDynamicMap(false);

}  // namespace wb
