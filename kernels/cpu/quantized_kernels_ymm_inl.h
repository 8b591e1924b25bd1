// SPDX-License-Identifier: Apache-2.0
// The tile product with registers of eight lanes, which hold half a tile: one tile at a time and, because there are
// only sixteen registers, few rows. Included once for each instruction set, inside its target and namespace, after
//   kMaxRows
//   nibblesOf(quants, part)                        part: which
//   Weights                                        a dword of each row as the product of bytes wants it
//   prepareBytes<Format>(quants, part) -> Weights
//   dotBytes<Format>(sums, weights, x) -> sums     adds four products to each lane
//   dotWords(sums, w, x) -> sums                   adds two products of 16 bits to each lane
//   kNeedsCorrection<Format>                       whether stored numbers are multiplied as they are, offset and all
// No include guard: that is the point.

// Levels of NF4 as 16-bit numbers, those of even and of odd columns.
struct Levels {
    __m256i even;
    __m256i odd;
};

inline __m256i lookUp(const std::array<uint8_t, 16>& bytes, __m256i nibbles) {
    const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.data()));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles);
}

inline Levels levelsOf(__m256i nibbles) {
    const __m256i low = lookUp(kLowLevelBytes, nibbles);
    const __m256i high = lookUp(kHighLevelBytes, nibbles);
    const __m256i lowBytes = _mm256_set1_epi16(0xff);
    return {_mm256_or_si256(_mm256_and_si256(low, lowBytes), _mm256_slli_epi16(high, 8)),
            _mm256_or_si256(_mm256_srli_epi16(low, 8), _mm256_andnot_si256(lowBytes, high))};
}

template <class Format>
inline auto prepare(__m256i quants, size_t part) {
    if constexpr (Format::kGroups == 2) {
        return levelsOf(nibblesOf(quants, part));
    } else {
        return prepareBytes<Format>(quants, part);
    }
}

template <class Format, class Prepared>
inline __m256i dot(__m256i sums, const Prepared& w, __m256i x) {
    if constexpr (Format::kGroups == 2) {
        sums = dotWords(sums, w.even, _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
        return dotWords(sums, w.odd, _mm256_srai_epi16(x, 8));
    } else {
        return dotBytes<Format>(sums, w, x);
    }
}

template <class Format, int kRows>
void multiplyTile(const TileProduct& p, const std::byte* tile, float* out) {
    const auto groups = static_cast<size_t>(p.groups);
    const TileView<Format, const std::byte> tiles(tile, p.groups);
    const std::byte* quants = tile + tiles.scaleBytes();
    __m256 sums[kRows][2];
    WB_UNROLL for (int t = 0; t < kRows; ++t) {
        WB_UNROLL for (int h = 0; h < 2; ++h) sums[t][h] = _mm256_setzero_ps();
    }
    for (size_t g = 0; g < groups; ++g) {
        const ActivationBlock* x = p.x + g;
        __m256i dots[kRows][2];
        WB_UNROLL for (int t = 0; t < kRows; ++t) {
            const int32_t correction = kNeedsCorrection<Format> ? x[t * groups].correction : 0;
            WB_UNROLL for (int h = 0; h < 2; ++h) dots[t][h] = _mm256_set1_epi32(correction);
        }
        WB_UNROLL for (size_t j = 0; j < Format::kDwords; ++j) {
            WB_UNROLL for (size_t part = 0; part < kParts<Format>; ++part) {
                WB_UNROLL for (int h = 0; h < 2; ++h) {
                    const auto* source = reinterpret_cast<const __m256i*>(quants + j * 64 + h * 32);
                    const auto w = prepare<Format>(_mm256_loadu_si256(source), part);
                    WB_UNROLL for (int t = 0; t < kRows; ++t) {
                        const __m256i v = _mm256_set1_epi32(dwordAt(x[t * groups], j + part * Format::kDwords));
                        dots[t][h] = dot<Format>(dots[t][h], w, v);
                    }
                }
            }
        }
        const std::byte* scales = tiles.scale(0, static_cast<int64_t>(g));
        WB_UNROLL for (int h = 0; h < 2; ++h) {
            const __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + h * 16)));
            WB_UNROLL for (int t = 0; t < kRows; ++t) {
                const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(x[t * groups].scale));
                sums[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[t][h]), both, sums[t][h]);
            }
        }
        quants += Format::kDwords * 64;
    }
    WB_UNROLL for (int t = 0; t < kRows; ++t) {
        WB_UNROLL for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out + t * kPanelColumns + h * 8, sums[t][h]);
    }
}

template <class Format>
void run(const TileProduct& p) {
    const size_t tileBytes = TileView<Format, const std::byte>(p.tiles, p.groups).tileBytes();
    for (int64_t n = 0; n < p.numTiles; ++n) {
        const std::byte* tile = p.tiles + static_cast<size_t>(n) * tileBytes;
        float* out = p.sums + n * kTileRows;
        switch (p.rows) {
            case 1: multiplyTile<Format, 1>(p, tile, out); break;
            case 2: multiplyTile<Format, 2>(p, tile, out); break;
            default: multiplyTile<Format, kMaxRows>(p, tile, out); break;
        }
    }
}
