// SPDX-License-Identifier: Apache-2.0
// The second kernel of the flash backward pass (attention_flash_backward.h): a block has tiles of queries of one head.
// It also has every pair of its queries once, and so the gradients of biases: dense ones element by element; of a
// distance table, each warp adds its tile along diagonals, the block adds its warps in order to a part of the table in
// global memory that only it knows, and a last kernel adds the parts in order.
#pragma once

#include "kernels/cuda/attention_flash_backward.h"

namespace wb::kernels::cuda {

template <int kHeadDim, FlashBias kBias>
struct FlashQueryTiles {
    static constexpr int kWarps = 4;
    static constexpr int kWarpBlocks = kHeadDim == 64 || (kHeadDim == 128 && kBias == FlashBias::NoneOrAlibi) ? 2 : 1;
    static constexpr int kKeys = kHeadDim == 256 ? 16 : 32;
    static constexpr int kRows = kWarps * kWarpBlocks * 16;
};

// Entries of a head's distance table that queries first .. first + count of a sequence may touch, when keys come in
// tiles of `keys`: what the block of these queries keeps a part of.
__host__ __device__ inline RowRange tablePart(const AttentionRule& rule, const AttentionSequence& sequence, int first,
                                              int count, int keys) {
    const int end = first + count < sequence.numQueries ? first + count : sequence.numQueries;
    const RowRange seen = keysSeenBySome(rule.mask, sequence, first, end - 1);
    if (seen.count() == 0) return {};
    const int lowest = seen.begin / keys * keys - sequence.position(first + count - 1);
    const int highest = (seen.end + keys - 1) / keys * keys - 1 - sequence.position(first);
    return {rule.bias.tableEntry(lowest), rule.bias.tableEntry(highest) + 1};
}

template <class T, int kHeadDim, FlashBias kBias>
struct FlashBackwardQueries {
    using Tiles = FlashQueryTiles<kHeadDim, kBias>;
    static constexpr int kThreads = Tiles::kWarps * kWarpSize;
    static constexpr int kWarpBlocks = Tiles::kWarpBlocks;
    static constexpr int kWarpRows = 16 * kWarpBlocks;
    static constexpr int kRows = Tiles::kRows;
    static constexpr int kKeys = Tiles::kKeys;
    static constexpr int kStageElements = 2 * kKeys * kHeadDim;  // k, v
    static constexpr bool kHasTable = kBias == FlashBias::Table;
    static constexpr int kStrip = kHasTable ? kRows + kKeys : 0;
    static constexpr int kDiagonals = kHasTable ? kWarpRows + kKeys : 0;  // of a warp
    static constexpr int kCorner = kHasTable ? 16 * 8 : 0;                // one block of sums of a warp
    static constexpr int kSharedBytes =
        (2 * kRows * kHeadDim + 2 * kStageElements) * 2 + (2 * kStrip + Tiles::kWarps * (kDiagonals + kCorner)) * 4;

    using Pairs = Sums<kWarpBlocks, kKeys / 8>;  // queries by keys
    using Gradient = Sums<kWarpBlocks, kHeadDim / 8>;
    using RowValues = float[kWarpBlocks][2];
    using Rule = ScoreRule<T, kBias>;

    struct Shared {
        T* queries;
        T* dOut;
        T* stages;
        float* strips;
        float* diagonals;  // [warps, kDiagonals]
        float* corners;    // [warps, kCorner]

        __device__ explicit Shared(T* start)
            : queries(start),
              dOut(queries + kRows * kHeadDim),
              stages(dOut + kRows * kHeadDim),
              strips(reinterpret_cast<float*>(stages + 2 * kStageElements)),
              diagonals(strips + 2 * kStrip),
              corners(diagonals + Tiles::kWarps * kDiagonals) {}
    };

    struct Place {
        AttentionSequence sequence;
        AttentionMask mask;
        int firstRow;  // of the tile, within the sequence
        int warpRow;
        int lane;

        __device__ int lastRow() const { return min(firstRow + kRows, sequence.numQueries) - 1; }
        __device__ int row(int m, int half) const { return firstRow + warpRow + m * 16 + half * 8 + lane / 4; }
        __device__ RowRange keys() const { return keysSeenBySome(mask, sequence, firstRow, lastRow()); }
        __device__ bool isInterior(int firstKey) const {
            return firstKey + kKeys <= sequence.numKeys && firstRow + kRows <= sequence.numQueries &&
                   mask.seesAll(sequence.position(firstRow), sequence.position(firstRow + kRows - 1), firstKey,
                                firstKey + kKeys - 1);
        }
        // Distance of the first key from row `last` of the tile, the lowest in it.
        __device__ int distance(int firstKey, int last) const { return firstKey - sequence.position(firstRow + last); }
    };

    static __device__ Place placeOf(const FlashBackwardParams<T>& params, int tileOfBlock) {
        const AttentionTile tile = params.tiles[blockIdx.x / params.rule.numHeads];
        const int thread = computedHere(static_cast<int>(threadIdx.x));
        return {tile.sequence, params.rule.mask, tile.first + tileOfBlock * kRows, thread / kWarpSize * kWarpRows,
                thread % kWarpSize};
    }
    static __device__ int headOf(const FlashBackwardParams<T>& params) {
        return computedHere(static_cast<int>(blockIdx.x)) % params.rule.numHeads;
    }

    static __device__ void fetch(const FlashBackwardParams<T>& params, const Shared& shared, int stage,
                                 const Place& place, RowRange seen, int firstKey) {
        const int numHeads = params.rule.keyValueHeads;
        const int head = headOf(params) / params.rule.group();
        T* keys = shared.stages + stage * kStageElements;
        fetchTile<kKeys, kHeadDim, kThreads>(keys, params.headRows(params.k, place.sequence.firstKey, numHeads, head),
                                             firstKey, seen.begin, seen.end);
        fetchTile<kKeys, kHeadDim, kThreads>(keys + kStageElements / 2,
                                             params.headRows(params.v, place.sequence.firstKey, numHeads, head),
                                             firstKey, seen.begin, seen.end);
        if constexpr (kHasTable) {
            Rule(params.rule, headOf(params))
                .fillStrip(shared.strips + stage * kStrip, place.distance(firstKey, kRows - 1), kRows + kKeys - 1,
                           kThreads);
        }
        commitCopies();
    }

    // s becomes dS, dP becomes dProduct.
    template <bool kIsPlain, bool kIsEdge>
    static __device__ void weigh(const FlashBackwardParams<T>& params, Pairs& s, Pairs& dP, const Rule& rule,
                                 const Place& place, const RowValues& logSums2, const RowValues& deltas, int firstKey) {
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = computedHere(place.row(m, half));
                const int position = place.sequence.position(row);
                const int begin = place.mask.firstKey(position);
                const int end =
                    row < place.sequence.numQueries ? place.mask.endKey(position, place.sequence.numKeys) : begin;
                const int64_t packedRow = place.sequence.firstQuery + row;
#pragma unroll
                for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        const int key = firstKey + n * 8 + place.lane % 4 * 2 + i;
                        const bool isVisible = key >= begin && key < end;
                        float& score = s[m][n][2 * half + i];
                        float& gradient = dP[m][n][2 * half + i];
                        const PairGradient pair =
                            pairGradient<kIsPlain, kIsEdge>(rule, score, gradient, logSums2[m][half], deltas[m][half],
                                                            packedRow, position, key, isVisible);
                        score = pair.dScore;
                        gradient = pair.dProduct;
                        if constexpr (kBias == FlashBias::Dense) {
                            if (params.dDense != nullptr && isVisible) {
                                params.dDense[rule.bias.denseIndex(rule.head, packedRow, key)] += pair.dScore;
                            }
                        }
                    }
                }
            }
        }
    }

    // The diagonals of a warp's dS: entry x holds the pairs whose key is x - (kWarpRows - 1) behind their row.
    static __device__ void addDiagonals(const Shared& shared, const Place& place, const Pairs& dS) {
        const int warp = place.warpRow / kWarpRows;
        float* sums = shared.diagonals + warp * kDiagonals;
        float* corner = shared.corners + warp * kCorner;
        for (int x = place.lane; x < kDiagonals; x += kWarpSize) sums[x] = 0.0F;
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int n = 0; n < kKeys / 8; ++n) {
                __syncwarp();
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    corner[(place.lane / 4 + i / 2 * 8) * 8 + place.lane % 4 * 2 + i % 2] = dS[m][n][i];
                }
                __syncwarp();
                // Diagonal `lane` of 16 rows and 8 columns: column - row = lane - 15.
                if (place.lane < 16 + 8 - 1) {
                    float sum = 0.0F;
                    for (int column = max(0, place.lane - 15); column < 8 && column <= place.lane; ++column) {
                        sum += corner[(column - place.lane + 15) * 8 + column];
                    }
                    sums[place.lane - 15 + n * 8 - m * 16 + kWarpRows - 1] += sum;
                }
            }
        }
    }

    // The diagonals of all warps, in order, to the block's part of the table. Each entry has one thread.
    static __device__ void addToPart(const FlashBackwardParams<T>& params, const Shared& shared, const Place& place,
                                     int firstKey) {
        const AttentionBiasData& bias = params.rule.bias;
        const AttentionTile tile = params.tiles[blockIdx.x / params.rule.numHeads];
        const RowRange part = tablePart(params.rule, tile.sequence, tile.first, params.tileRows, kKeys);
        float* sums = params.dTables + params.partStarts[blockIdx.x / params.rule.numHeads] * params.rule.numHeads +
                      int64_t{headOf(params)} * part.count();
        const int lowest = place.distance(firstKey, kRows - 1);
        const int highest = lowest + kRows + kKeys - 2;
        const int lastEntry = bias.tableEntry(highest);
        for (int entry = bias.tableEntry(lowest) + static_cast<int>(threadIdx.x); entry <= lastEntry;
             entry += kThreads) {
            // The ends of the table stand for all distances beyond them.
            const int own = entry - bias.tableLength / 2;
            const int first = entry == 0 ? lowest : max(own, lowest);
            const int last = entry == bias.tableLength - 1 ? highest : min(own, highest);
            float sum = 0.0F;
            for (int distance = first; distance <= last; ++distance) {
                for (int warp = 0; warp < Tiles::kWarps; ++warp) {
                    const int x = distance - lowest - (kRows - kWarpRows) + warp * kWarpRows;
                    if (x >= 0 && x < kWarpRows + kKeys - 1) sum += shared.diagonals[warp * kDiagonals + x];
                }
            }
            sums[entry - part.begin] += sum;
        }
    }

    static __device__ void runTile(const FlashBackwardParams<T>& params, const Shared& shared, int tileOfBlock) {
        const Place place = placeOf(params, tileOfBlock);
        const int head = headOf(params);
        const int numHeads = params.rule.numHeads;
        const RowRange seen = place.keys();
        // Rows that see nothing have zeros, whatever their numbers are.
        const RowRange seeing = queriesSeeingSome(params.rule.mask, place.sequence, 0, place.sequence.numKeys - 1);
        int firstKey = seen.begin / kKeys * kKeys;
        fetchTile<kRows, kHeadDim, kThreads>(shared.queries,
                                             params.headRows(params.q, place.sequence.firstQuery, numHeads, head),
                                             place.firstRow, seeing.begin, seeing.end);
        fetchTile<kRows, kHeadDim, kThreads>(shared.dOut,
                                             params.headRows(params.dOut, place.sequence.firstQuery, numHeads, head),
                                             place.firstRow, seeing.begin, seeing.end);
        if (firstKey < seen.end) fetch(params, shared, 0, place, seen, firstKey);
        commitCopies();

        RowValues logSums2;
        RowValues deltas;
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = place.row(m, half);
                const bool isPresent = row >= seeing.begin && row < seeing.end;
                const int64_t index = int64_t{place.sequence.firstQuery + row} * numHeads + head;
                logSums2[m][half] = isPresent ? params.logSumExp[index] * kLog2E : 0.0F;
                deltas[m][half] = isPresent ? params.delta[index] : 0.0F;
            }
        }
        Gradient dQ;
        clear(dQ);
        Rule rule(params.rule, head);
        waitForCopies<0>();
        __syncthreads();
        for (int stage = 0; firstKey < seen.end; firstKey += kKeys, stage ^= 1) {
            if (firstKey + kKeys < seen.end) fetch(params, shared, stage ^ 1, place, seen, firstKey + kKeys);
            const T* keys = shared.stages + stage * kStageElements;
            if constexpr (kHasTable) {
                rule.useStrip(shared.strips + stage * kStrip, place.distance(firstKey, kRows - 1));
            }
            Pairs s;
            Pairs dP;
            clear(s);
            clear(dP);
            multiplyTransposed<kHeadDim>(s, shared.queries, place.warpRow, keys);
            multiplyTransposed<kHeadDim>(dP, shared.dOut, place.warpRow, keys + kStageElements / 2);
            __syncwarp();  // keeps the compiler from spreading the registers of both steps over each other
            if (!rule.isPlain) {
                weigh<false, true>(params, s, dP, rule, place, logSums2, deltas, firstKey);
            } else if (place.isInterior(firstKey)) {
                weigh<true, false>(params, s, dP, rule, place, logSums2, deltas, firstKey);
            } else {
                weigh<true, true>(params, s, dP, rule, place, logSums2, deltas, firstKey);
            }
            multiplyWeights<kHeadDim>(dQ, dP, keys);
            const bool hasTable = kHasTable && params.dTables != nullptr;
            if constexpr (kHasTable) {
                if (hasTable) addDiagonals(shared, place, s);
            }
            waitForCopies<0>();
            __syncthreads();  // the next pair is here, and nobody reads this one any more
            if constexpr (kHasTable) {
                if (hasTable) {
                    addToPart(params, shared, place, firstKey);
                    __syncthreads();  // the diagonals may be overwritten
                }
            }
        }
        if (params.dQ != nullptr) store(params, shared, tileOfBlock, dQ);
    }

    static __device__ void store(const FlashBackwardParams<T>& params, const Shared& shared, int tileOfBlock,
                                 const Gradient& dQ) {
        const Place place = placeOf(params, tileOfBlock);
        RowValues factors;
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) factors[m][0] = factors[m][1] = params.rule.scale;
        roundToTile<kHeadDim>(shared.queries, place.warpRow, 0, dQ, factors);
        __syncwarp();
        const HeadRows<T> target =
            params.headRows(params.dQ, place.sequence.firstQuery, params.rule.numHeads, headOf(params));
#pragma unroll
        for (int m = 0; m < kWarpBlocks; ++m) {
            const int tileRow = place.warpRow + m * 16;
            storeTileRows<kHeadDim, kHeadDim>(shared.queries, tileRow, 0, target, place.firstRow + tileRow,
                                              place.sequence.numQueries);
        }
    }

    static __device__ void run(const FlashBackwardParams<T>& params) {
        const Shared shared(dynamicShared<T>());
        const AttentionTile tile = params.tiles[blockIdx.x / params.rule.numHeads];
        const int rows = min(params.tileRows, tile.sequence.numQueries - tile.first);
        for (int i = 0; i * kRows < rows; ++i) {
            if (i > 0) __syncthreads();  // the tiles of the last round are stored
            runTile(params, shared, i);
        }
    }
};

template <class T, int kHeadDim, FlashBias kBias>
__global__ void __launch_bounds__(FlashQueryTiles<kHeadDim, kBias>::kWarps* kWarpSize)
    flashBackwardQueriesKernel(FlashBackwardParams<T> params) {
    FlashBackwardQueries<T, kHeadDim, kBias>::run(params);
}

// dBias[head, entry] += the parts of all blocks in the order of their list.
template <class T>
__global__ void __launch_bounds__(128)
    addTablePartsKernel(FlashBackwardParams<T> params, int numTiles, int keys, float* dBias) {
    const int head = static_cast<int>(blockIdx.y);
    const int entry = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (entry >= params.rule.bias.tableLength) return;
    float sum = 0.0F;
    for (int i = 0; i < numTiles; ++i) {
        const AttentionTile tile = params.tiles[i];
        const RowRange part = tablePart(params.rule, tile.sequence, tile.first, params.tileRows, keys);
        if (entry < part.begin || entry >= part.end) continue;
        sum += params.dTables[params.partStarts[i] * params.rule.numHeads + int64_t{head} * part.count() + entry -
                              part.begin];
    }
    dBias[params.rule.bias.tableIndex(head, entry - params.rule.bias.tableLength / 2)] += sum;
}

// delta[row, head] = sum of dOut * out: eight lanes a row.
template <class T>
__global__ void __launch_bounds__(256) flashDeltaKernel(FlashBackwardParams<T> params) {
    constexpr int kLanes = 8;
    const int64_t index = int64_t{blockIdx.x} * (blockDim.x / kLanes) + threadIdx.x / kLanes;
    const int lane = static_cast<int>(threadIdx.x) % kLanes;
    const int headDim = params.rule.headDim;
    float sum = 0.0F;
    if (index < params.totalQueries * params.rule.numHeads) {
        const T* out = params.out + index * headDim;
        const T* dOut = params.dOut + index * headDim;
        if (params.hasChunks) {
            for (int column = lane * 8; column < headDim; column += kLanes * 8) {
                const Pack<T, 8> a = loadPack<8>(out + column);
                const Pack<T, 8> b = loadPack<8>(dOut + column);
#pragma unroll
                for (int c = 0; c < 8; ++c) sum += toFloat(a.values[c]) * toFloat(b.values[c]);
            }
        } else {
            for (int column = lane; column < headDim; column += kLanes) {
                sum += toFloat(out[column]) * toFloat(dOut[column]);
            }
        }
    }
    for (int step = kLanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
    if (lane == 0 && index < params.totalQueries * params.rule.numHeads) params.delta[index] = sum;
}

}  // namespace wb::kernels::cuda
