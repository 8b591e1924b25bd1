// SPDX-License-Identifier: Apache-2.0
// Flash attention, forward (Dao 2022, arXiv:2205.14135; 2023, arXiv:2307.08691). For a tile of query rows:
//   m = max over the keys so far of S;  l = sum of exp(S - m);  O = sum of exp(S - m) v;  out = O / l
// Keys come in tiles; what was summed is scaled when m rises. S and P live in registers: the sums of S = q k^T are the
// left operand of P v. A block has one query tile of one head, a warp 16 or 32 rows of it and all keys. While a tile of
// keys and values is used, the next one travels.
#pragma once

#include "kernels/cuda/attention_flash_scores.h"
#include "kernels/cuda/attention_flash_tiles.h"

namespace wb::kernels::cuda {

template <class T>
struct FlashForwardParams {
    const T* q = nullptr;
    const T* k = nullptr;
    const T* v = nullptr;
    T* out = nullptr;
    float* logSumExp = nullptr;  // may stay so
    const AttentionTile* tiles = nullptr;
    AttentionRule rule;
    bool hasChunks = false;
};

inline constexpr int kFlashForwardWarps = 4;
// Keys of a tile: what leaves the sums of 32 rows in registers. The same for all blocks of a head dim, so that a row
// has the same bits in any tile.
constexpr int flashForwardKeys(int headDim) {
    return headDim == 64 ? 64 : 32;
}

// kWarpBlocks: blocks of 16 rows a warp has.
template <class T, int kHeadDim, int kWarpBlocks, FlashBias kBias>
struct FlashForward {
    static constexpr int kThreads = kFlashForwardWarps * kWarpSize;
    static constexpr int kWarpRows = 16 * kWarpBlocks;
    static constexpr int kRows = kFlashForwardWarps * kWarpRows;
    static constexpr int kKeys = flashForwardKeys(kHeadDim);
    static constexpr int kStageElements = 2 * kKeys * kHeadDim;  // keys, values
    static constexpr int kStrip = kBias == FlashBias::Table ? kRows + kKeys : 0;
    static constexpr int kSharedBytes = (kRows * kHeadDim + 2 * kStageElements) * 2 + 2 * kStrip * 4;
    // Fragments of q stay in registers where the sums leave room.
    static constexpr bool kKeepsQuery = kHeadDim == 64 && kBias != FlashBias::Dense;

    using Scores = Sums<kWarpBlocks, kKeys / 8>;
    using Output = Sums<kWarpBlocks, kHeadDim / 8>;
    using RowValues = float[kWarpBlocks][2];
    using Rule = ScoreRule<T, kBias>;

    // What a thread knows about its rows.
    struct Place {
        AttentionSequence sequence;
        AttentionMask mask;
        int firstRow;  // of the tile, within the sequence
        int lastRow;
        int warpRow;  // of the warp, within the tile
        int lane;

        __device__ int row(int m, int half) const { return firstRow + warpRow + m * 16 + half * 8 + lane / 4; }
        __device__ int key(int firstKey, int n, int i) const { return firstKey + n * 8 + lane % 4 * 2 + i; }
        __device__ bool isInterior(int firstKey) const {
            return firstKey + kKeys <= sequence.numKeys &&
                   mask.seesAll(sequence.position(firstRow), sequence.position(lastRow), firstKey,
                                firstKey + kKeys - 1);
        }
    };

    static __device__ Place placeOf(const FlashForwardParams<T>& params) {
        const AttentionTile tile = params.tiles[blockIdx.x / params.rule.numHeads];
        const int thread = static_cast<int>(threadIdx.x);
        return {tile.sequence,
                params.rule.mask,
                tile.first,
                min(tile.first + kRows, tile.sequence.numQueries) - 1,
                thread / kWarpSize * kWarpRows,
                thread % kWarpSize};
    }

    template <class Element>
    static __device__ HeadRows<Element> headRows(Element* data, int firstRow, int numHeads, int head,
                                                 const FlashForwardParams<T>& params) {
        return rowsOfHead(data, firstRow, numHeads, head, params.rule.headDim, params.hasChunks);
    }

    // Cap and bias; pairs behind the sequence get none.
    static __device__ void applyRule(Scores& s, const Rule& rule, const Place& place, int firstKey) {
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = min(computedHere(place.row(m, half)), place.lastRow);
                const int position = place.sequence.position(row);
#pragma unroll
                for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        const int key = min(place.key(firstKey, n, i), place.sequence.numKeys - 1);
                        float& score = s[m][n][2 * half + i];
                        score = rule.capped(score) + rule.biasOf(place.sequence.firstQuery + row, position, key);
                    }
                }
            }
        }
    }

    static __device__ void hide(Scores& s, const Place& place, int firstKey) {
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int position = place.sequence.position(computedHere(place.row(m, half)));
                const int origin = place.key(firstKey, 0, 0);
                const int begin = place.mask.firstKey(position) - origin;
                const int end = place.mask.endKey(position, place.sequence.numKeys) - origin;
#pragma unroll
                for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        const int key = n * 8 + i;
                        if (key < begin || key >= end) s[m][n][2 * half + i] = -INFINITY;
                    }
                }
            }
        }
    }

    // s becomes exp(s - m); what was summed before moves to the new maxima. Maxima are in powers of two, and are
    // rounded once, so that a row whose maximum stays is scaled by exactly one.
    static __device__ void advance(Scores& s, Output& output, RowValues& maxima, RowValues& sums, float exponent) {
        RowValues corrections;
        bool isMoved = false;
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float largest = -INFINITY;
#pragma unroll
                for (int n = 0; n < kKeys / 8; ++n) {
                    largest = fmaxf(largest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
                }
                largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
                largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
                const float newMaximum = fmaxf(maxima[m][half], __fmul_rn(largest, exponent));
                const float zero = newMaximum == -INFINITY ? 0.0F : newMaximum;
                corrections[m][half] = exp2Approximately(__fadd_rn(maxima[m][half], -zero));
                isMoved = isMoved || corrections[m][half] != 1.0F;
                maxima[m][half] = newMaximum;
                float sum = 0.0F;
#pragma unroll
                for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        float& score = s[m][n][2 * half + i];
                        score = exp2Approximately(__fmaf_rn(score, exponent, -zero));
                        sum += score;
                    }
                }
                sums[m][half] = sums[m][half] * corrections[m][half] + sum;
            }
        }
        // Most tiles move no maximum.
        if (__any_sync(kAllLanes, isMoved) == 0) return;
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int n = 0; n < kHeadDim / 8; ++n) {
#pragma unroll
                for (int i = 0; i < 4; ++i) output[m][n][i] *= corrections[m][i / 2];
            }
        }
    }

    // Reads the tile again rather than keeping its facts in registers during the loop.
    static __device__ void finish(const FlashForwardParams<T>& params, T* queries, const Output& output,
                                  const RowValues& maxima, const RowValues& sums) {
        const Place place = placeOf(params);
        const int head = static_cast<int>(blockIdx.x) % params.rule.numHeads;
        RowValues factors;
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float sum = sums[m][half];
                sum += __shfl_xor_sync(kAllLanes, sum, 1);
                sum += __shfl_xor_sync(kAllLanes, sum, 2);
                factors[m][half] = sum == 0.0F ? 0.0F : 1.0F / sum;
                const int row = place.row(m, half);
                if (params.logSumExp == nullptr || place.lane % 4 != 0 || row > place.lastRow) continue;
                const int64_t index = int64_t{place.sequence.firstQuery + row} * params.rule.numHeads + head;
                params.logSumExp[index] = sum == 0.0F ? -INFINITY : maxima[m][half] * kLn2 + logf(sum);
            }
        }
        roundToTile<kHeadDim>(queries, place.warpRow, 0, output, factors);
        __syncwarp();
        const HeadRows<T> target = headRows(params.out, place.sequence.firstQuery, params.rule.numHeads, head, params);
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
            const int tileRow = place.warpRow + m * 16;
            storeTileRows<kHeadDim, kHeadDim>(queries, tileRow, 0, target, place.firstRow + tileRow, place.lastRow + 1);
        }
    }

    // Keys and values of a block. Rows are found from the parameters at each use: registers are for the sums.
    struct Sources {
        const FlashForwardParams<T>& params;
        int firstRow;  // of the sequence
        int head;
        RowRange seen;  // by some row of the tile; nothing else is read

        __device__ void fetch(T* stage, int firstKey) const {
            const int numHeads = params.rule.keyValueHeads;
            fetchTile<kKeys, kHeadDim, kThreads>(stage, headRows(params.k, firstRow, numHeads, head, params), firstKey,
                                                 seen.begin, seen.end);
            fetchTile<kKeys, kHeadDim, kThreads>(stage + kStageElements / 2,
                                                 headRows(params.v, firstRow, numHeads, head, params), firstKey,
                                                 seen.begin, seen.end);
        }
    };

    static __device__ void run(const FlashForwardParams<T>& params) {
        T* queries = dynamicShared<T>();
        T* stages = queries + kRows * kHeadDim;
        auto* strips = reinterpret_cast<float*>(stages + 2 * kStageElements);

        const AttentionRule& shape = params.rule;
        const int head = static_cast<int>(blockIdx.x) % shape.numHeads;
        const Place place = placeOf(params);
        const AttentionSequence& sequence = place.sequence;
        const HeadRows<const T> queryRows = headRows(params.q, sequence.firstQuery, shape.numHeads, head, params);
        const Sources sources{params, computedHere(sequence.firstKey), computedHere(head / shape.group()),
                              keysSeenBySome(shape.mask, sequence, place.firstRow, place.lastRow)};
        Rule rule(shape, head);
        // Distances of the strip start at that of the last row and the first key.
        const auto fillStrip = [&](int stage, int firstKey) {
            if constexpr (kBias == FlashBias::Table) {
                rule.fillStrip(strips + stage * kStrip, firstKey - sequence.position(place.firstRow + kRows - 1),
                               kRows + kKeys - 1, kThreads);
            }
        };

        // Tiles of keys lie on multiples of their size, whatever a row sees.
        int firstKey = sources.seen.begin / kKeys * kKeys;
        fetchTile<kRows, kHeadDim, kThreads>(queries, queryRows, place.firstRow, 0, sequence.numQueries);
        if (firstKey < sources.seen.end) {
            sources.fetch(stages, firstKey);
            fillStrip(0, firstKey);
        }
        commitCopies();

        Output output;
        RowValues maxima;
        RowValues sums;
        clear(output);
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
            maxima[m][0] = maxima[m][1] = -INFINITY;
            sums[m][0] = sums[m][1] = 0.0F;
        }
        waitForCopies<0>();
        __syncthreads();
        KeptRows<kKeepsQuery ? kHeadDim : 16, kWarpBlocks> kept;
        if constexpr (kKeepsQuery) keepRows<kHeadDim>(kept, queries, place.warpRow);

        for (int stage = 0; firstKey < sources.seen.end; firstKey += kKeys, stage ^= 1) {
            if (firstKey + kKeys < sources.seen.end) {
                sources.fetch(stages + (stage ^ 1) * kStageElements, firstKey + kKeys);
                fillStrip(stage ^ 1, firstKey + kKeys);
                commitCopies();
            }
            const T* keys = stages + stage * kStageElements;
            Scores s;
            clear(s);
            if constexpr (kKeepsQuery) {
                multiplyKept<kHeadDim>(s, kept, keys);
            } else {
                multiplyTransposed<kHeadDim>(s, queries, place.warpRow, keys);
            }
            if constexpr (kBias == FlashBias::Table) {
                rule.useStrip(strips + stage * kStrip, firstKey - sequence.position(place.firstRow + kRows - 1));
            }
            if (!rule.isPlain) applyRule(s, rule, place, firstKey);
            if (!place.isInterior(firstKey)) hide(s, place, firstKey);
            advance(s, output, maxima, sums, rule.exponent);
            multiplyWeights<kHeadDim>(output, s, keys + kStageElements / 2);
            waitForCopies<0>();
            __syncthreads();  // the next tile is here, and nobody reads this one any more
        }
        finish(params, queries, output, maxima, sums);
    }
};

template <class T, int kHeadDim, int kWarpBlocks, FlashBias kBias>
__global__ void __launch_bounds__(kFlashForwardWarps* kWarpSize) flashForwardKernel(FlashForwardParams<T> params) {
    FlashForward<T, kHeadDim, kWarpBlocks, kBias>::run(params);
}

}  // namespace wb::kernels::cuda
