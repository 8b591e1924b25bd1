// SPDX-License-Identifier: Apache-2.0
// Flash attention, backward, in two kernels that recompute S and P from the saved log-sum-exp and add nothing in an
// order of chance. With dP = dOut v^T and delta = the sum of dOut * out over a row (which is that of P * dP):
//   P = exp(S - logSumExp);  dBias = dS = P (dP - delta);  dProduct = dS * slope of the soft cap
//   keys:     a block has a tile of keys of one key/value head and walks over the query tiles of all its query heads:
//             dV = sum of P^T dOut;  dK = scale * sum of dProduct^T q
//   queries:  a block has a tile of queries of one head and walks over its keys:  dQ = scale * sum of dProduct k
// Both hold two tiles (k, v or q, dOut) and see pairs of smaller ones pass by; the next pair travels while one is used.
// The weights P and dProduct go from the sums of one product to the left operand of the next within registers.
#pragma once

#include "kernels/cuda/attention_flash_scores.h"
#include "kernels/cuda/attention_flash_tiles.h"

namespace wb::kernels::cuda {

template <class T>
struct FlashBackwardParams {
    const T* q = nullptr;
    const T* k = nullptr;
    const T* v = nullptr;
    const T* out = nullptr;
    const T* dOut = nullptr;
    const float* logSumExp = nullptr;
    float* delta = nullptr;  // [Tq, Hq]
    T* dQ = nullptr;         // these three may stay null
    T* dK = nullptr;
    T* dV = nullptr;
    float* dDense = nullptr;   // gradient of a dense bias, or null
    float* dTables = nullptr;  // parts of the gradient of a distance table (TablePart), or null
    const int64_t* partStarts = nullptr;
    const AttentionTile* tiles = nullptr;
    int tileRows = 0;  // of the query tiles of one block, which takes them one after another
    int64_t totalQueries = 0;
    AttentionRule rule;
    bool hasChunks = false;

    template <class Element>
    __device__ HeadRows<Element> headRows(Element* data, int firstRow, int numHeads, int head) const {
        return rowsOfHead(data, firstRow, numHeads, head, rule.headDim, hasChunks);
    }
};

// Warps of a block, blocks of 16 keys of a warp, and queries of the tiles that pass by: what leaves all sums in
// registers and the tiles in 99 KB of shared memory. kPasses: blocks that share a tile of keys, each for a part of the
// head dim.
template <int kHeadDim, FlashBias kBias>
struct FlashKeyTiles {
    static constexpr int kWarps = kHeadDim == 128 ? 8 : 4;
    static constexpr int kWarpBlocks = kHeadDim == 64 ? 2 : 1;
    static constexpr int kQueries = kHeadDim == 256 || (kHeadDim == 64 && kBias == FlashBias::Dense) ? 16 : 32;
    static constexpr int kPasses = kHeadDim == 256 ? 2 : 1;
};

// From s = q k^T and dP to the gradients of one pair. value: of ScoreRule.
struct PairGradient {
    float p;
    float dScore;    // with respect to the score: the gradient of a bias
    float dProduct;  // with respect to scale * q k^T
};

// `row` is that of the query in the packed batch. Pairs that are not visible have zeros, whatever their numbers are.
template <bool kIsPlain, bool kIsEdge, class Rule>
__device__ inline PairGradient pairGradient(const Rule& rule, float s, float dP, float logSum2, float delta,
                                            int64_t row, int position, int key, bool isVisible) {
    float value = s;
    float slope = 1.0F;
    if constexpr (!kIsPlain) {
        const float capped = rule.capped(s);
        slope = rule.capSlope(capped);
        value = capped + (isVisible ? rule.biasOf(row, position, key) : 0.0F);
    }
    float p = exp2Approximately(__fmaf_rn(value, rule.exponent, -logSum2));
    float dScore = p * (dP - delta);
    if constexpr (kIsEdge) {
        if (!isVisible) p = dScore = 0.0F;
    }
    return {p, dScore, dScore * slope};
}

template <class T, int kHeadDim, FlashBias kBias>
struct FlashBackwardKeys {
    using Tiles = FlashKeyTiles<kHeadDim, kBias>;
    static constexpr int kThreads = Tiles::kWarps * kWarpSize;
    static constexpr int kWarpBlocks = Tiles::kWarpBlocks;
    static constexpr int kWarpRows = 16 * kWarpBlocks;
    static constexpr int kKeys = Tiles::kWarps * kWarpRows;
    static constexpr int kQueries = Tiles::kQueries;
    static constexpr int kColumns = kHeadDim / Tiles::kPasses;
    static constexpr int kStageElements = 2 * kQueries * kHeadDim;  // q, dOut
    static constexpr int kStageFloats = 2 * kQueries;               // logSumExp, delta
    static constexpr int kStrip = kBias == FlashBias::Table ? kKeys + kQueries : 0;
    static constexpr int kSharedBytes =
        (2 * kKeys * kHeadDim + 2 * kStageElements) * 2 + 2 * (kStageFloats + kStrip) * 4 + 32;

    using Pairs = Sums<kWarpBlocks, kQueries / 8>;  // keys by queries
    using Gradient = Sums<kWarpBlocks, kColumns / 8>;
    using Rule = ScoreRule<T, kBias>;

    struct Shared {
        T* keys;
        T* values;
        T* stages;
        float* floats;  // of both stages
        float* strips;
        AttentionTile* tile;  // of the block: read again in every step, registers are for the sums

        __device__ explicit Shared(T* start)
            : keys(start),
              values(keys + kKeys * kHeadDim),
              stages(values + kKeys * kHeadDim),
              floats(reinterpret_cast<float*>(stages + 2 * kStageElements)),
              strips(floats + 2 * kStageFloats),
              tile(reinterpret_cast<AttentionTile*>(strips + 2 * kStrip)) {}
    };

    struct Place {
        AttentionSequence sequence;
        AttentionMask mask;
        int firstKey;  // of the tile, within the sequence
        int warpRow;
        int lane;

        __device__ int key(int m, int half) const { return firstKey + warpRow + m * 16 + half * 8 + lane / 4; }
        __device__ int lastKey() const { return min(firstKey + kKeys, sequence.numKeys) - 1; }
        __device__ RowRange queries() const { return queriesSeeingSome(mask, sequence, firstKey, lastKey()); }
        __device__ bool isInterior(int firstQuery) const {
            return firstKey + kKeys <= sequence.numKeys && firstQuery + kQueries <= sequence.numQueries &&
                   mask.seesAll(sequence.position(firstQuery), sequence.position(firstQuery + kQueries - 1), firstKey,
                                firstKey + kKeys - 1);
        }
        // Distance of the first entry of the strip.
        __device__ int stripStart(int firstQuery) const {
            return firstKey - sequence.position(firstQuery + kQueries - 1);
        }
    };

    static __device__ AttentionTile tileOf(const FlashBackwardParams<T>& params) {
        return params.tiles[blockIdx.x / (params.rule.keyValueHeads * Tiles::kPasses)];
    }
    static __device__ Place placeOf(const FlashBackwardParams<T>& params, const AttentionTile& tile) {
        const int thread = computedHere(static_cast<int>(threadIdx.x));
        return {tile.sequence, params.rule.mask, tile.first, thread / kWarpSize * kWarpRows, thread % kWarpSize};
    }
    static __device__ int keyHead(const FlashBackwardParams<T>& params) {
        return computedHere(static_cast<int>(blockIdx.x)) / Tiles::kPasses % params.rule.keyValueHeads;
    }
    static __device__ int firstColumn() { return static_cast<int>(blockIdx.x) % Tiles::kPasses * kColumns; }

    static __device__ void fetch(const FlashBackwardParams<T>& params, const Shared& shared, int stage,
                                 const Place& place, RowRange seen, int head, int firstQuery) {
        const int numHeads = params.rule.numHeads;
        const int firstRow = place.sequence.firstQuery;
        T* queries = shared.stages + stage * kStageElements;
        fetchTile<kQueries, kHeadDim, kThreads>(queries, params.headRows(params.q, firstRow, numHeads, head),
                                                firstQuery, seen.begin, seen.end);
        fetchTile<kQueries, kHeadDim, kThreads>(queries + kStageElements / 2,
                                                params.headRows(params.dOut, firstRow, numHeads, head), firstQuery,
                                                seen.begin, seen.end);
        const int i = static_cast<int>(threadIdx.x);
        if (i < kStageFloats) {
            const float* from = i < kQueries ? params.logSumExp : params.delta;
            const int query = firstQuery + i % kQueries;
            const bool isPresent = query >= seen.begin && query < seen.end;
            const int64_t index = int64_t{firstRow + query} * numHeads + head;
            copyAsync4(shared.floats + stage * kStageFloats + i, isPresent ? from + index : from, isPresent);
        }
        if constexpr (kBias == FlashBias::Table) {
            Rule(params.rule, head)
                .fillStrip(shared.strips + stage * kStrip, place.stripStart(firstQuery), kKeys + kQueries - 1,
                           kThreads);
        }
        commitCopies();
    }

    // s becomes P, dP becomes dProduct. Absent queries were read as zeros and give zeros in every product.
    template <bool kIsPlain, bool kIsEdge>
    static __device__ void weigh(Pairs& s, Pairs& dP, const Rule& rule, const Place& place, const float* floats,
                                 int firstQuery) {
        const int lane = computedHere(place.lane);
#pragma unroll
        for (int n = 0; n < kQueries / 8; ++n) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const int column = n * 8 + lane % 4 * 2 + i;
                const float logSum2 = floats[column] * kLog2E;
                const float delta = floats[kQueries + column];
                const int query = firstQuery + column;
                const int position = place.sequence.position(query);
                const int absent = query < place.sequence.numQueries ? 0 : 1 << 30;
                const int begin = position - place.mask.left + absent;
                const int last = min(position + place.mask.right, place.sequence.numKeys - 1);
#pragma unroll
                for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
                    for (int half = 0; half < 2; ++half) {
                        const int key = place.firstKey + place.warpRow + m * 16 + half * 8 + lane / 4;
                        float& weight = s[m][n][2 * half + i];
                        float& gradient = dP[m][n][2 * half + i];
                        const PairGradient pair = pairGradient<kIsPlain, kIsEdge>(
                            rule, weight, gradient, logSum2, delta, place.sequence.firstQuery + query, position, key,
                            key >= begin && key <= last);
                        weight = pair.p;
                        gradient = pair.dProduct;
                    }
                }
            }
        }
    }

    static __device__ void store(const FlashBackwardParams<T>& params, T* target, T* staging, const Gradient& gradient,
                                 float factor) {
        if (target == nullptr) return;
        const Place place = placeOf(params, tileOf(params));
        float factors[kWarpBlocks][2];
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) factors[m][0] = factors[m][1] = factor;
        roundToTile<kHeadDim>(staging, place.warpRow, firstColumn(), gradient, factors);
        __syncwarp();  // keeps the compiler from spreading the registers of both steps over each other
        const HeadRows<T> rows =
            params.headRows(target, place.sequence.firstKey, params.rule.keyValueHeads, keyHead(params));
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
            const int tileRow = place.warpRow + m * 16;
            storeTileRows<kHeadDim, kColumns>(staging, tileRow, firstColumn(), rows, place.firstKey + tileRow,
                                              place.sequence.numKeys);
        }
    }

    // The walk of a block over the query tiles of one head after another.
    struct Walk {
        RowRange seen;
        int begin;        // of the first query tile
        int tilesOfHead;  // 0: no query sees the keys

        __device__ explicit Walk(const Place& place) : seen(place.queries()) {
            begin = seen.begin / kQueries * kQueries;
            tilesOfHead = seen.count() == 0 ? 0 : (seen.end - begin + kQueries - 1) / kQueries;
        }
        __device__ int firstQuery(int step) const { return begin + step % tilesOfHead * kQueries; }
    };

    static __device__ void fetchStep(const FlashBackwardParams<T>& params, const Shared& shared, const Place& place,
                                     const Walk& walk, int step) {
        const int head = keyHead(params) * params.rule.group() + step / walk.tilesOfHead;
        fetch(params, shared, step % 2, place, walk.seen, head, walk.firstQuery(step));
    }

    static __device__ void takeStep(const FlashBackwardParams<T>& params, const Shared& shared, int step, Gradient& dK,
                                    Gradient& dV) {
        const T* queries = shared.stages + step % 2 * kStageElements;
        const T* dOut = queries + kStageElements / 2;
        const float* floats = shared.floats + step % 2 * kStageFloats;
        const int warpRow = static_cast<int>(threadIdx.x) / kWarpSize * kWarpRows;
        Pairs s;
        Pairs dP;
        clear(s);
        clear(dP);
        multiplyTransposed<kHeadDim>(s, shared.keys, warpRow, queries);
        multiplyTransposed<kHeadDim>(dP, shared.values, warpRow, dOut);
        __syncwarp();  // keeps the compiler from spreading the registers of both steps over each other

        const Place place = placeOf(params, *shared.tile);
        const Walk walk(place);
        const int firstQuery = walk.firstQuery(step);
        Rule rule(params.rule, keyHead(params) * params.rule.group() + step / walk.tilesOfHead);
        if constexpr (kBias == FlashBias::Table) {
            rule.useStrip(shared.strips + step % 2 * kStrip, place.stripStart(firstQuery));
        }
        if (!rule.isPlain) {
            weigh<false, true>(s, dP, rule, place, floats, firstQuery);
        } else if (place.isInterior(firstQuery)) {
            weigh<true, false>(s, dP, rule, place, floats, firstQuery);
        } else {
            weigh<true, true>(s, dP, rule, place, floats, firstQuery);
        }
        multiplyWeights<kHeadDim>(dV, s, dOut, firstColumn());
        multiplyWeights<kHeadDim>(dK, dP, queries, firstColumn());
    }

    static __device__ void fetchKeys(const FlashBackwardParams<T>& params, T* tile, const T* data, const Place& place) {
        fetchTile<kKeys, kHeadDim, kThreads>(
            tile, params.headRows(data, place.sequence.firstKey, params.rule.keyValueHeads, keyHead(params)),
            place.firstKey, 0, place.sequence.numKeys);
    }

    // Also gives the number of steps.
    static __device__ int start(const FlashBackwardParams<T>& params, const Shared& shared) {
        const AttentionTile tile = tileOf(params);
        const Place place = placeOf(params, tile);
        const Walk walk(place);
        if (threadIdx.x == 0) *shared.tile = tile;
        fetchKeys(params, shared.keys, params.k, place);
        fetchKeys(params, shared.values, params.v, place);
        if (walk.tilesOfHead > 0) fetchStep(params, shared, place, walk, 0);
        commitCopies();
        waitForCopies<0>();
        __syncthreads();
        return walk.tilesOfHead * params.rule.group();
    }

    static __device__ void run(const FlashBackwardParams<T>& params) {
        const Shared shared(dynamicShared<T>());
        const int numSteps = start(params, shared);
        Gradient dK;
        Gradient dV;
        clear(dK);
        clear(dV);
        for (int step = 0; step < numSteps; ++step) {
            if (step + 1 < numSteps) {
                const Place place = placeOf(params, *shared.tile);
                fetchStep(params, shared, place, Walk(place), step + 1);
            }
            takeStep(params, shared, step, dK, dV);
            waitForCopies<0>();
            __syncthreads();  // the next pair is here, and nobody reads this one any more
        }
        store(params, params.dV, shared.values, dV, 1.0F);
        store(params, params.dK, shared.keys, dK, params.rule.scale);
    }
};

template <class T, int kHeadDim, FlashBias kBias>
__global__ void __launch_bounds__(FlashKeyTiles<kHeadDim, kBias>::kWarps* kWarpSize)
    flashBackwardKeysKernel(FlashBackwardParams<T> params) {
    FlashBackwardKeys<T, kHeadDim, kBias>::run(params);
}

}  // namespace wb::kernels::cuda
