// SPDX-License-Identifier: Apache-2.0
// The tile product with registers of eight lanes, which hold half a tile: one tile at a time and, because there are
// only sixteen registers, few rows. Included once for each instruction set, inside its target and namespace, after
//   kMaxRows
//   Weights                                   a dword of each row as the product wants it
//   prepare<Format>(quants, part) -> Weights  part: which nibbles
//   dot<Format>(sums, weights, x) -> sums     adds four products to each lane
//   kNeedsCorrection<Format>                  whether stored numbers are multiplied as they are, offset and all
// No include guard: that is the point.

template <class Format, int kRows>
void multiplyTile(const TileProduct& p, const std::byte* tile, float* out) {
    const auto blocks = static_cast<size_t>(p.blocks);
    const std::byte* scales = tile;
    const std::byte* quants = tile + blocks * kTileRows * sizeof(Float16);
    __m256 sums[kRows][2];
    WB_UNROLL for (int t = 0; t < kRows; ++t) {
        WB_UNROLL for (int h = 0; h < 2; ++h) sums[t][h] = _mm256_setzero_ps();
    }
    for (size_t b = 0; b < blocks; ++b) {
        const ActivationBlock* x = p.x + b;
        __m256i dots[kRows][2];
        WB_UNROLL for (int t = 0; t < kRows; ++t) {
            const int32_t correction = kNeedsCorrection<Format> ? x[t * blocks].correction : 0;
            WB_UNROLL for (int h = 0; h < 2; ++h) dots[t][h] = _mm256_set1_epi32(correction);
        }
        WB_UNROLL for (size_t j = 0; j < Format::kDwords; ++j) {
            WB_UNROLL for (size_t part = 0; part < kParts<Format>; ++part) {
                WB_UNROLL for (int h = 0; h < 2; ++h) {
                    const auto* source = reinterpret_cast<const __m256i*>(quants + j * 64 + h * 32);
                    const Weights w = prepare<Format>(_mm256_loadu_si256(source), part);
                    WB_UNROLL for (int t = 0; t < kRows; ++t) {
                        const __m256i v = _mm256_set1_epi32(dwordAt(x[t * blocks], j + part * Format::kDwords));
                        dots[t][h] = dot<Format>(dots[t][h], w, v);
                    }
                }
            }
        }
        WB_UNROLL for (int h = 0; h < 2; ++h) {
            const __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + h * 16)));
            WB_UNROLL for (int t = 0; t < kRows; ++t) {
                const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(x[t * blocks].scale));
                sums[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[t][h]), both, sums[t][h]);
            }
        }
        quants += Format::kDwords * 64;
        scales += kTileRows * sizeof(Float16);
    }
    WB_UNROLL for (int t = 0; t < kRows; ++t) {
        WB_UNROLL for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out + t * kPanelColumns + h * 8, sums[t][h]);
    }
}

template <class Format>
void run(const TileProduct& p) {
    const size_t tileBytes = static_cast<size_t>(p.blocks) * kTileRows * sizeof(typename Format::Block);
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
