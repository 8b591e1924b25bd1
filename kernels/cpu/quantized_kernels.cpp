// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/quantized_kernels.h"

#include "kernels/cpu/cpu_features.h"

#include <hwy/highway.h>
#include <cmath>

#if HWY_ARCH_X86
#include <immintrin.h>
#endif

namespace wb::kernels::cpu {
namespace {

// Plain C++: what all others must equal.
template <class Format>
void multiplyPortable(const TileProduct& p) {
    const TileView<Format, const std::byte> tiles(p.tiles, p.groups);
    for (int64_t t = 0; t < p.rows; ++t) {
        for (int64_t o = 0; o < p.numTiles * kTileRows; ++o) {
            float sum = 0;
            for (int64_t g = 0; g < p.groups; ++g) {
                const ActivationBlock& x = p.x[t * p.groups + g];
                std::array<uint8_t, Format::kDwords * 4> bytes;
                tiles.gather(o, g, bytes.data());
                int32_t dot = x.correction;
                for (size_t i = 0; i < x.values.size(); ++i) dot += Format::number(bytes.data(), i) * x.values[i];
                sum = std::fma(static_cast<float>(dot), tiles.halfScale(o, g) * x.scale, sum);
            }
            p.sums[t * kPanelColumns + o] = sum;
        }
    }
}

constexpr TileKernels kPortable{"portable", 1, multiplyPortable<Q8Tiles>, multiplyPortable<Q4Tiles>,
                                multiplyPortable<Nf4Tiles>};

// Dword j of a group of x, and how many of its dwords meet one dword of weights.
int32_t dwordAt(const ActivationBlock& x, size_t j) {
    int32_t word = 0;
    std::memcpy(&word, x.values.data() + 4 * j, sizeof(word));
    return word;
}
template <class Format>
constexpr size_t kParts = 8 / Format::kDwords;

// The levels of NF4 as two tables of bytes: a shuffle looks 16 nibbles of a lane up at once.
constexpr std::array<uint8_t, 16> levelBytes(int shift) {
    std::array<uint8_t, 16> bytes{};
    for (size_t n = 0; n < 16; ++n) bytes[n] = static_cast<uint8_t>(static_cast<uint32_t>(kNf4Levels[n]) >> shift);
    return bytes;
}
alignas(16) constexpr std::array<uint8_t, 16> kLowLevelBytes = levelBytes(0);
alignas(16) constexpr std::array<uint8_t, 16> kHighLevelBytes = levelBytes(8);

}  // namespace
}  // namespace wb::kernels::cpu

#if HWY_ARCH_X86

// The kernels below hold a panel of sums in registers for all columns: kRows rows of x times kTiles tiles. Loops over
// these two are unrolled: they index registers.
#define WB_UNROLL _Pragma("GCC unroll 8")

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512vnni,fma,f16c")
namespace wb::kernels::cpu {
namespace {
namespace avx512vnni {

// The forms with a mask of all lanes: GCC takes those without for a use of uninitialised memory.
constexpr __mmask16 kAllLanes = 0xffff;

// Levels of NF4 as 16-bit numbers, those of even and of odd columns.
struct Levels {
    __m512i even;
    __m512i odd;
};

inline __m512i nibblesOf(__m512i quants, size_t part) {
    return _mm512_and_si512(part == 0 ? quants : _mm512_srli_epi16(quants, 4), _mm512_set1_epi8(15));
}

inline __m512i lookUp(const std::array<uint8_t, 16>& bytes, __m512i nibbles) {
    const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.data()));
    return _mm512_shuffle_epi8(_mm512_maskz_broadcast_i32x4(kAllLanes, table), nibbles);
}

inline Levels levelsOf(__m512i nibbles) {
    const __m512i low = lookUp(kLowLevelBytes, nibbles);
    const __m512i high = lookUp(kHighLevelBytes, nibbles);
    constexpr __mmask64 kOddBytes = 0xaaaaaaaaaaaaaaaaULL;
    return {_mm512_mask_blend_epi8(kOddBytes, low, _mm512_slli_epi16(high, 8)),
            _mm512_mask_blend_epi8(kOddBytes, _mm512_srli_epi16(low, 8), high)};
}

template <class Format>
inline auto prepare(__m512i quants, size_t part) {
    if constexpr (Format::kGroups == 2) {
        return levelsOf(nibblesOf(quants, part));
    } else if constexpr (kParts<Format> == 2) {
        return nibblesOf(quants, part);
    } else {
        return quants;
    }
}

inline __m512i dot(__m512i sums, __m512i w, __m512i x) {
    return _mm512_dpbusd_epi32(sums, w, x);
}
inline __m512i dot(__m512i sums, const Levels& w, __m512i x) {
    sums = _mm512_dpwssd_epi32(sums, w.even, _mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8));
    return _mm512_dpwssd_epi32(sums, w.odd, _mm512_srai_epi16(x, 8));
}

template <class Format, int kRows, int kTiles>
void multiply(const TileProduct& p) {
    const auto groups = static_cast<size_t>(p.groups);
    const TileView<Format, const std::byte> tiles(p.tiles, p.groups);
    const size_t tileBytes = tiles.tileBytes();
    const std::byte* quants = p.tiles + tiles.scaleBytes();
    __m512 sums[kRows][kTiles];
    WB_UNROLL for (int t = 0; t < kRows; ++t) {
        WB_UNROLL for (int n = 0; n < kTiles; ++n) sums[t][n] = _mm512_setzero_ps();
    }
    for (size_t g = 0; g < groups; ++g) {
        const ActivationBlock* x = p.x + g;
        __m512i dots[kRows][kTiles];
        WB_UNROLL for (int t = 0; t < kRows; ++t) {
            WB_UNROLL for (int n = 0; n < kTiles; ++n) dots[t][n] = _mm512_set1_epi32(x[t * groups].correction);
        }
        WB_UNROLL for (size_t j = 0; j < Format::kDwords; ++j) {
            __m512i w[kTiles];
            WB_UNROLL for (int n = 0; n < kTiles; ++n) w[n] = _mm512_loadu_si512(quants + n * tileBytes + j * 64);
            WB_UNROLL for (size_t part = 0; part < kParts<Format>; ++part) {
                decltype(prepare<Format>(w[0], part)) u[kTiles];
                WB_UNROLL for (int n = 0; n < kTiles; ++n) u[n] = prepare<Format>(w[n], part);
                WB_UNROLL for (int t = 0; t < kRows; ++t) {
                    const __m512i v = _mm512_set1_epi32(dwordAt(x[t * groups], j + part * Format::kDwords));
                    WB_UNROLL for (int n = 0; n < kTiles; ++n) dots[t][n] = dot(dots[t][n], u[n], v);
                }
            }
        }
        const std::byte* scales = tiles.scale(0, static_cast<int64_t>(g));
        WB_UNROLL for (int n = 0; n < kTiles; ++n) {
            const __m512 scale = _mm512_maskz_cvtph_ps(
                kAllLanes, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + n * tileBytes)));
            WB_UNROLL for (int t = 0; t < kRows; ++t) {
                const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(x[t * groups].scale));
                sums[t][n] = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(kAllLanes, dots[t][n]), both, sums[t][n]);
            }
        }
        quants += Format::kDwords * 64;
    }
    WB_UNROLL for (int t = 0; t < kRows; ++t) {
        WB_UNROLL for (int n = 0; n < kTiles; ++n) _mm512_storeu_ps(p.sums + t * kPanelColumns + n * 16, sums[t][n]);
    }
}

template <class Format>
void run(const TileProduct& p) {
    static constexpr std::array<void (*)(const TileProduct&), 12> kTable{
        multiply<Format, 1, 1>, multiply<Format, 1, 2>, multiply<Format, 2, 1>, multiply<Format, 2, 2>,
        multiply<Format, 3, 1>, multiply<Format, 3, 2>, multiply<Format, 4, 1>, multiply<Format, 4, 2>,
        multiply<Format, 5, 1>, multiply<Format, 5, 2>, multiply<Format, 6, 1>, multiply<Format, 6, 2>};
    kTable[static_cast<size_t>(2 * (p.rows - 1) + p.numTiles - 1)](p);
}

constexpr TileKernels kSet{"avx512_vnni", kMostRows, run<Q8Tiles>, run<Q4Tiles>, run<Nf4Tiles>};

}  // namespace avx512vnni
}  // namespace
}  // namespace wb::kernels::cpu
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c,avxvnni")
namespace wb::kernels::cpu {
namespace {
namespace avxvnni {

inline __m256i nibblesOf(__m256i quants, size_t part) {
    return _mm256_and_si256(part == 0 ? quants : _mm256_srli_epi16(quants, 4), _mm256_set1_epi8(15));
}

constexpr int kMaxRows = 3;

template <class Format>
constexpr bool kNeedsCorrection = true;

using Weights = __m256i;

template <class Format>
inline Weights prepareBytes(__m256i quants, size_t part) {
    return kParts<Format> == 1 ? quants : nibblesOf(quants, part);
}

template <class Format>
inline __m256i dotBytes(__m256i sums, Weights w, __m256i x) {
    return _mm256_dpbusd_avx_epi32(sums, w, x);
}

inline __m256i dotWords(__m256i sums, __m256i w, __m256i x) {
    return _mm256_dpwssd_avx_epi32(sums, w, x);
}

#include "kernels/cpu/quantized_kernels_ymm_inl.h"

constexpr TileKernels kSet{"avx_vnni", kMaxRows, run<Q8Tiles>, run<Q4Tiles>, run<Nf4Tiles>};

}  // namespace avxvnni
}  // namespace
}  // namespace wb::kernels::cpu
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c")
namespace wb::kernels::cpu {
namespace {
namespace avx2 {

inline __m256i nibblesOf(__m256i quants, size_t part) {
    return _mm256_and_si256(part == 0 ? quants : _mm256_srli_epi16(quants, 4), _mm256_set1_epi8(15));
}

// vpmaddubsw adds two products in 16 bits and saturates. With 255 * 127 * 2 of Q8_0 it would: there the sign goes to
// the other factor, and 128 * 127 * 2 fits. Nibbles are small enough.
template <class Format>
constexpr bool kNeedsCorrection = Format::kDwords != 8;

constexpr int kMaxRows = 2;

struct Weights {
    __m256i magnitudes;
    __m256i values;  // with their signs; of Q8_0 only
};

template <class Format>
inline Weights prepareBytes(__m256i quants, size_t part) {
    if constexpr (kNeedsCorrection<Format>) {
        return {nibblesOf(quants, part), quants};
    } else {
        const __m256i values = _mm256_xor_si256(quants, _mm256_set1_epi8(-128));
        return {_mm256_abs_epi8(values), values};
    }
}

template <class Format>
inline __m256i dotBytes(__m256i sums, const Weights& w, __m256i x) {
    if constexpr (!kNeedsCorrection<Format>) x = _mm256_sign_epi8(x, w.values);
    const __m256i pairs = _mm256_maddubs_epi16(w.magnitudes, x);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

inline __m256i dotWords(__m256i sums, __m256i w, __m256i x) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(w, x));
}

#include "kernels/cpu/quantized_kernels_ymm_inl.h"

constexpr TileKernels kSet{"avx2", kMaxRows, run<Q8Tiles>, run<Q4Tiles>, run<Nf4Tiles>};

}  // namespace avx2
}  // namespace
}  // namespace wb::kernels::cpu
HWY_POP_ATTRIBUTES

#endif  // HWY_ARCH_X86

namespace wb::kernels::cpu {
namespace {

std::vector<TileKernels> supportedKernels() {
    std::vector<TileKernels> sets;
#if HWY_ARCH_X86
    const CpuFeatures& features = cpuFeatures();
    if (features.hasAvx512Vnni) sets.push_back(avx512vnni::kSet);
    if (features.hasAvxVnni) sets.push_back(avxvnni::kSet);
    if (features.hasAvx2) sets.push_back(avx2::kSet);
#endif
    sets.push_back(kPortable);
    return sets;
}

}  // namespace

const std::vector<TileKernels>& tileKernels() {
    static const std::vector<TileKernels> sets = supportedKernels();
    return sets;
}

}  // namespace wb::kernels::cpu
