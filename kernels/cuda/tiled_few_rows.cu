// SPDX-License-Identifier: Apache-2.0
// out = alpha x W^T + bias (+ out) for at most 16 rows of x and a weight in tiles: a block makes the 16 columns of a
// tile, its warps take groups of 32 columns in turn.
//
// The numbers of a group are small integers, exact as BF16: m16n8k16 multiplies them with x, and each group's sums are
// scaled and added in F32. An x of more bits than BF16 is cut into two or three BF16 numbers whose sum it is, each
// multiplied on its own. Levels of NF4 have 15 bits: two BF16 numbers, of which a BF16 x meets only the first, the
// level rounded to its own precision. As in few_rows.cu terms may come in any order: lane (g, t) takes rows 2g and 2g +
// 1 of the tile for `a` rows g and g + 8, and columns 4t .. 4t+3 and 16+4t .. 16+4t+3 of the group.
#include "kernels/cuda/few_rows_sums.h"
#include "kernels/cuda/quantized_blocks.h"
#include "kernels/cuda/tiled_product.h"

#include <cstring>

namespace wb::kernels::cuda {

using few_rows::kThreads;
using few_rows::kWarps;
using few_rows::Shares;
using few_rows::storeSums;

namespace {

// BF16 numbers whose sum is any number of the type.
template <class T>
inline constexpr int kParts = sizeof(T) == 4 ? 3 : 2;
template <>
inline constexpr int kParts<__nv_bfloat16> = 1;

// Four neighbours of a row of x in parts, each as (first, third) and (second, fourth).
template <class T>
__device__ inline void loadParts(const T* x, NumberPairs (&parts)[kParts<T>]) {
    const Pack<T, 4> pack = loadPack<4>(x);
    float rest[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) rest[i] = toFloat(pack.values[i]);
#pragma unroll
    for (int part = 0; part < kParts<T>; ++part) {
        float rounded[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            rounded[i] = toFloat(fromFloat<__nv_bfloat16>(rest[i]));
            rest[i] -= rounded[i];
        }
        parts[part] = {packPair<__nv_bfloat16>(rounded[0], rounded[2]),
                       packPair<__nv_bfloat16>(rounded[1], rounded[3])};
    }
}
__device__ inline void loadParts(const __nv_bfloat16* x, NumberPairs (&parts)[1]) {
    const uint2 bits = *reinterpret_cast<const uint2*>(x);
    parts[0] = {__byte_perm(bits.x, bits.y, 0x5410), __byte_perm(bits.x, bits.y, 0x7632)};
}

// What a lane needs of a group of a tile: of two rows.
template <class Format>
struct GroupShare {
    uint32_t first[Format::kDwordsOfLane];
    uint32_t second[Format::kDwordsOfLane];
    float firstScale;
    float secondScale;
};

template <class Format>
__device__ inline GroupShare<Format> loadShare(const DeviceTiles<Format>& tiles, int64_t tile, int64_t group, int g,
                                               int t) {
    GroupShare<Format> share;
#pragma unroll
    for (int i = 0; i < Format::kDwordsOfLane; ++i) {
        const uint2 bits = __ldcs(reinterpret_cast<const uint2*>(tiles.dwords(tile, group, t + 4 * i) + 2 * g));
        share.first[i] = bits.x;
        share.second[i] = bits.y;
    }
    const Pack<__half, 2> scales = loadPack<2>(tiles.scales(tile, group) + 2 * g);
    share.firstScale = toFloat(scales.values[0]) * Format::kUnit;
    share.secondScale = toFloat(scales.values[1]) * Format::kUnit;
    return share;
}

// Four columns: a part of the weight's numbers with every part of x.
template <class T, class Format, int kPart, int kTiles>
__device__ inline void multiplyPart(const GroupShare<Format>& share, int half,
                                    const NumberPairs (&x)[kTiles][kParts<T>], float (&groupSums)[kTiles][4]) {
    const NumberPairs first = Format::template numbers<kPart>(share.first, half);
    const NumberPairs second = Format::template numbers<kPart>(share.second, half);
    const uint32_t a[4] = {first.even, second.even, first.odd, second.odd};
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int part = 0; part < kParts<T>; ++part) {
            multiplyAdd<__nv_bfloat16>(groupSums[tile], a, x[tile][part].even, x[tile][part].odd);
        }
    }
}

template <class T, class Format, int kTiles>
__device__ inline void addGroup(const GroupShare<Format>& share, const T* const (&xs)[kTiles], int64_t column,
                                float (&sums)[kTiles][4]) {
    float groupSums[kTiles][4] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        NumberPairs x[kTiles][kParts<T>];
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) loadParts(xs[tile] + column + 16 * half, x[tile]);
        multiplyPart<T, Format, 0, kTiles>(share, half, x, groupSums);
        if constexpr (Format::kParts > 1 && kParts < T >> 1)
            multiplyPart<T, Format, 1, kTiles>(share, half, x, groupSums);
    }
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            sums[tile][i] = __fmaf_rn(i < 2 ? share.firstScale : share.secondScale, groupSums[tile][i], sums[tile][i]);
        }
    }
}

template <class T, class Format, int kTiles>
__global__ void __launch_bounds__(kThreads, 2) tiledFewRowsKernel(FewRowsProduct p) {
    // Loads under way: 2 KiB a warp, or 1 where x takes the registers.
    constexpr int kInFlight = (kParts < T >> 1 ? 4 : 8) / Format::kDwordsOfLane;
    __shared__ Shares<kTiles> shares;
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
    const int g = lane / 4;
    const int t = lane % 4;
    const DeviceTiles<Format> tiles{static_cast<const unsigned char*>(p.weight), p.inputs / kColumnsOfGroup};
    const T* xs[kTiles];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
        xs[tile] = static_cast<const T*>(p.x) + int64_t{min(8 * tile + g, p.rows - 1)} * p.inputs;
    }
    float sums[kTiles][4] = {};
    for (int64_t start = warp * kInFlight; start < tiles.groups; start += kWarps * kInFlight) {
        if (start + kInFlight <= tiles.groups) {
            GroupShare<Format> group[kInFlight];
#pragma unroll
            for (int i = 0; i < kInFlight; ++i) group[i] = loadShare(tiles, blockIdx.x, start + i, g, t);
#pragma unroll
            for (int i = 0; i < kInFlight; ++i) {
                addGroup<T>(group[i], xs, (start + i) * kColumnsOfGroup + 4 * t, sums);
            }
            continue;
        }
#pragma unroll 1
        for (int64_t i = start; i < tiles.groups; ++i) {
            addGroup<T>(loadShare(tiles, blockIdx.x, i, g, t), xs, i * kColumnsOfGroup + 4 * t, sums);
        }
    }
    storeSums<T>(p, int64_t{blockIdx.x} * kRowsOfTile, sums, 2 * g, 2 * g + 1, shares);
}

}  // namespace

void multiplyFewRowsTiled(const Stream& stream, DType inputs, DType tiles, const FewRowsProduct& product) {
    if (product.rows == 0) return;
    withTiles(tiles, [&](auto format) {
        withType("linear", inputs, [&](auto tag) {
            using Format = decltype(format);
            using T = typename decltype(tag)::Type;
            const LaunchShape shape{blocksFor(product.outputs, kRowsOfTile), kThreads};
            if (product.rows <= 8) {
                launch(stream, shape, tiledFewRowsKernel<T, Format, 1>, product);
            } else {
                launch(stream, shape, tiledFewRowsKernel<T, Format, 2>, product);
            }
        });
    });
}

}  // namespace wb::kernels::cuda
