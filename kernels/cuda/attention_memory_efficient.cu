// SPDX-License-Identifier: Apache-2.0
// memory_efficient (Rabe and Staats 2021, arXiv:2112.05682): attention in tiles of 64 queries and 64 keys for every
// type, head dim, mask, bias and dropout of kernels/attention.h, in O(T) memory, with fixed orders of sums and no
// atomics.
//
//   forward    over the key tiles of a query tile: the online softmax; O in F32 in the workspace
//   backward   delta = sum_d out dOut;  P = exp(S - logSumExp);  dS = P (drop(dOut V^T) - delta);  dX = dS dS/dx
//              keys:    over the query tiles of a key tile   dV += drop(P)^T dOut,  dK += dX^T Q
//              queries: over the key tiles of a query tile   dQ += dX K;  dBias
//
// All products are one function over tiles in shared memory as F32. A thread owns a 4 x 4 piece of a tile: rows
// 4 (thread / 16) + i, columns thread % 16 + 16 j.
#include "kernels/cuda/attention_geometry.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/stream.h"

#include <algorithm>

namespace wb::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 64;
constexpr int kDepth = 32;          // of a product at a time
constexpr int kStride = kTile + 1;  // no two rows start in the same bank
constexpr int kPiece = 4;           // elements of a thread along each side
constexpr int kLanesOfRow = 16;

struct Shared {
    float left[kDepth * kStride];
    float right[kDepth * kStride];
    float first[kTile * kStride];   // drop(P)
    float second[kTile * kStride];  // dS, then dX
    float rowFactor[kTile];
};

using Piece = float[kPiece][kPiece];

__device__ inline int pieceRow(int i) {
    return kPiece * (static_cast<int>(threadIdx.x) / kLanesOfRow) + i;
}
__device__ inline int pieceColumn(int j) {
    return static_cast<int>(threadIdx.x) % kLanesOfRow + kLanesOfRow * j;
}

// sum[i][j] += sum over k of left(row, k) right(column, k), rounded nowhere but in F32. The sources are called for all
// places of the tile; absent ones give 0.
template <bool kIsRightAlongDepth = true, class Left, class Right>
__device__ void multiplyTiles(Shared& shared, int depth, const Left& left, const Right& right, Piece& sum) {
    for (int first = 0; first < depth; first += kDepth) {
        __syncthreads();
        for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth; i += kThreads) {
            const int row = i / kDepth;
            const int k = i % kDepth;
            shared.left[k * kStride + row] = first + k < depth ? left(row, first + k) : 0.0F;
            // Neighbouring threads read neighbouring memory.
            const int column = kIsRightAlongDepth ? row : i % kTile;
            const int depthOfColumn = kIsRightAlongDepth ? k : i / kTile;
            shared.right[depthOfColumn * kStride + column] =
                first + depthOfColumn < depth ? right(column, first + depthOfColumn) : 0.0F;
        }
        __syncthreads();
        for (int k = 0; k < kDepth; ++k) {
            float a[kPiece];
            float b[kPiece];
#pragma unroll
            for (int i = 0; i < kPiece; ++i) a[i] = shared.left[k * kStride + pieceRow(i)];
#pragma unroll
            for (int j = 0; j < kPiece; ++j) b[j] = shared.right[k * kStride + pieceColumn(j)];
#pragma unroll
            for (int i = 0; i < kPiece; ++i) {
#pragma unroll
                for (int j = 0; j < kPiece; ++j) sum[i][j] += a[i] * b[j];
            }
        }
    }
}

__device__ inline void clear(Piece& piece) {
#pragma unroll
    for (auto& row : piece) {
#pragma unroll
        for (float& x : row) x = 0;
    }
}

template <class T>
struct TileCall {
    const T* q;
    const T* k;
    const T* v;
    const T* dOut;
    const float* logSumExp;
    const float* delta;
    AttentionRule rule;
    AttentionDropoutData dropout;

    __device__ int64_t queryRow(int row, int head) const {
        return (int64_t{row} * rule.numHeads + head) * rule.headDim;
    }
    __device__ int64_t keyRow(int row, int head) const {
        return (int64_t{row} * rule.keyValueHeads + head / rule.group()) * rule.headDim;
    }
    __device__ float factor(int head, int row, int key) const {
        return dropout.p > 0 ? dropout.factor(head, row, key) : 1.0F;
    }
};

// Queries firstQuery .. + 64 and keys firstKey .. + 64 of a sequence, seen from one head.
struct TilePair {
    AttentionSequence sequence;
    int firstQuery;
    int firstKey;
    int head;

    __device__ int queryOf(int i) const { return sequence.firstQuery + firstQuery + i; }
    __device__ int keyOf(int j) const { return sequence.firstKey + firstKey + j; }
    __device__ bool holdsQuery(int i) const { return firstQuery + i < sequence.numQueries; }
    __device__ bool holdsKey(int j) const { return firstKey + j < sequence.numKeys; }
    __device__ int position(int i) const { return sequence.position(firstQuery + i); }
    __device__ bool sees(const AttentionMask& mask, int i, int j) const {
        return holdsQuery(i) && holdsKey(j) && mask.sees(position(i), firstKey + j);
    }
};

// Sources of products: rows of q or dOut, and of k or v, by tile row and column.
template <class T>
__device__ auto queryRows(const TileCall<T>& call, const T* from, const TilePair& pair) {
    return [&call, from, &pair](int i, int d) {
        return pair.holdsQuery(i) ? toFloat(from[call.queryRow(pair.queryOf(i), pair.head) + d]) : 0.0F;
    };
}
template <class T>
__device__ auto keyRows(const TileCall<T>& call, const T* from, const TilePair& pair) {
    return [&call, from, &pair](int j, int d) {
        return pair.holdsKey(j) ? toFloat(from[call.keyRow(pair.keyOf(j), pair.head) + d]) : 0.0F;
    };
}

// S of the thread's piece, -infinity where hidden; and the derivative of the soft cap if wanted.
template <class T>
__device__ void scorePiece(const TileCall<T>& call, Shared& shared, const TilePair& pair, Piece& scores,
                           Piece* slopes = nullptr) {
    clear(scores);
    multiplyTiles(shared, call.rule.headDim, queryRows(call, call.q, pair), keyRows(call, call.k, pair), scores);
    const AttentionRule& rule = call.rule;
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
#pragma unroll
        for (int j = 0; j < kPiece; ++j) {
            const int row = pieceRow(i);
            const int column = pieceColumn(j);
            float score = rule.scale * scores[i][j];
            float slope = 1.0F;
            if (rule.softCap > 0) {
                const float bent = tanhf(score / rule.softCap);
                score = rule.softCap * bent;
                slope = 1.0F - bent * bent;
            }
            if (slopes != nullptr) (*slopes)[i][j] = slope;
            const bool isSeen = pair.sees(rule.mask, row, column);
            scores[i][j] = isSeen ? score + rule.bias.value<T>(pair.head, pair.queryOf(row), pair.position(row),
                                                               pair.firstKey + column)
                                  : -INFINITY;
        }
    }
}

// The sixteen lanes that share a row.
__device__ inline float rowMax(float x) {
    for (int step = kLanesOfRow / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, step));
    return x;
}
__device__ inline float rowSum(float x) {
    for (int step = kLanesOfRow / 2; step > 0; step /= 2) x += __shfl_xor_sync(kAllLanes, x, step);
    return x;
}

// into[row, d] = into[row, d] * factor(row) + sum over k of weights(row, k) values(d, k), in the workspace.
template <class Weights, class Values, class Row>
__device__ void accumulate(Shared& shared, int headDim, const Weights& weights, const Values& values, const Row& rowOf,
                           bool isFirst, const float* rowFactor) {
    for (int firstColumn = 0; firstColumn < headDim; firstColumn += kTile) {
        Piece sum;
        clear(sum);
        multiplyTiles<false>(
            shared, kTile, weights,
            [&](int d, int k) { return firstColumn + d < headDim ? values(k, firstColumn + d) : 0.0F; }, sum);
#pragma unroll
        for (int i = 0; i < kPiece; ++i) {
            float* row = rowOf(pieceRow(i));
            if (row == nullptr) continue;
            const float factor = rowFactor == nullptr ? 1.0F : rowFactor[pieceRow(i)];
#pragma unroll
            for (int j = 0; j < kPiece; ++j) {
                const int d = firstColumn + pieceColumn(j);
                if (d < headDim) row[d] = isFirst ? sum[i][j] : row[d] * factor + sum[i][j];
            }
        }
    }
}

// Grid: query tiles, heads. sums [Tq, Hq, D] F32.
template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    forwardTileKernel(TileCall<T> call, const AttentionTile* tiles, float* sums, T* out, float* logSumExp) {
    auto& shared = *dynamicShared<Shared>();
    const AttentionTile tile = tiles[blockIdx.x];
    const int head = static_cast<int>(blockIdx.y);
    const int headDim = call.rule.headDim;
    const AttentionSequence& sequence = tile.sequence;
    const int last = min(tile.first + kTile, sequence.numQueries) - 1;
    const RowRange range = keysSeenBySome(call.rule.mask, sequence, tile.first, last);
    float highest[kPiece] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    float total[kPiece] = {};
    bool isFirst = true;
    TilePair pair{sequence, tile.first, 0, head};
    const auto sumsOf = [&](int i) {
        return pair.holdsQuery(i) ? sums + call.queryRow(pair.queryOf(i), head) : nullptr;
    };
    for (pair.firstKey = range.begin / kTile * kTile; pair.firstKey < range.end; pair.firstKey += kTile) {
        Piece scores;
        scorePiece(call, shared, pair, scores);
#pragma unroll
        for (int i = 0; i < kPiece; ++i) {
            const int row = pieceRow(i);
            const float piece = fmaxf(fmaxf(scores[i][0], scores[i][1]), fmaxf(scores[i][2], scores[i][3]));
            const float next = fmaxf(highest[i], rowMax(piece));
            const float shift = next == -INFINITY ? 0.0F : next;
            const float factor = expf(highest[i] - shift);
            float sum = 0;
#pragma unroll
            for (int j = 0; j < kPiece; ++j) {
                const int column = pieceColumn(j);
                const float p = expf(scores[i][j] - shift);
                sum += p;
                const bool isKept = scores[i][j] != -INFINITY;
                shared.first[row * kStride + column] =
                    isKept ? p * call.factor(head, pair.queryOf(row), pair.firstKey + column) : 0.0F;
            }
            total[i] = total[i] * factor + rowSum(sum);
            highest[i] = next;
            if (threadIdx.x % kLanesOfRow == 0) shared.rowFactor[row] = factor;
        }
        __syncthreads();
        const auto values = keyRows(call, call.v, pair);
        accumulate(
            shared, headDim, [&](int i, int k) { return shared.first[i * kStride + k]; }, values, sumsOf, isFirst,
            shared.rowFactor);
        isFirst = false;
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
        if (!pair.holdsQuery(pieceRow(i))) continue;
        const int64_t row = call.queryRow(pair.queryOf(pieceRow(i)), head);
        for (int d = pieceColumn(0); d < headDim; d += kLanesOfRow)
            out[row + d] = fromFloat<T>(total[i] == 0 ? 0.0F : sums[row + d] / total[i]);
        if (logSumExp == nullptr || threadIdx.x % kLanesOfRow != 0) continue;
        logSumExp[row / headDim] = total[i] == 0 ? -INFINITY : highest[i] + logf(total[i]);
    }
}

// delta of each row of q and head: a warp each.
template <class T>
__global__ void __launch_bounds__(kThreads)
    deltaKernel(const T* out, const T* dOut, float* delta, int64_t rows, int headDim) {
    const int64_t row = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarpSize;
    if (row >= rows) return;
    float sum = 0;
    for (int d = static_cast<int>(threadIdx.x) % kWarpSize; d < headDim; d += kWarpSize)
        sum += toFloat(out[row * headDim + d]) * toFloat(dOut[row * headDim + d]);
    sum = warpSum(sum);
    if (threadIdx.x % kWarpSize == 0) delta[row] = sum;
}

// drop(P) to shared.first, dS to shared.second; the derivative of the soft cap stays with the thread.
template <class T>
__device__ void gradientTile(const TileCall<T>& call, Shared& shared, const TilePair& pair, Piece& slopes) {
    Piece scores;
    scorePiece(call, shared, pair, scores, &slopes);
    Piece products;
    clear(products);
    multiplyTiles(shared, call.rule.headDim, queryRows(call, call.dOut, pair), keyRows(call, call.v, pair), products);
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
        const int row = pieceRow(i);
        const bool isPresent = pair.holdsQuery(row);
        const int64_t rowOfCall = isPresent ? int64_t{pair.queryOf(row)} * call.rule.numHeads + pair.head : 0;
#pragma unroll
        for (int j = 0; j < kPiece; ++j) {
            const int column = pieceColumn(j);
            const int place = row * kStride + column;
            if (scores[i][j] == -INFINITY) {
                shared.first[place] = shared.second[place] = 0;
                continue;
            }
            const float p = expf(scores[i][j] - call.logSumExp[rowOfCall]);
            const float factor = call.factor(pair.head, pair.queryOf(row), pair.firstKey + column);
            shared.first[place] = p * factor;
            shared.second[place] = p * (factor * products[i][j] - call.delta[rowOfCall]);
        }
    }
    __syncthreads();
}

// dX = dS times the derivative of the soft cap.
__device__ inline void bendGradient(const AttentionRule& rule, Shared& shared, const Piece& slopes) {
    if (rule.softCap == 0) return;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
#pragma unroll
        for (int j = 0; j < kPiece; ++j) shared.second[pieceRow(i) * kStride + pieceColumn(j)] *= slopes[i][j];
    }
    __syncthreads();
}

template <class T>
__device__ void storeScaled(const float* from, T* to, int headDim, float scale) {
    if (to == nullptr) return;
    for (int d = pieceColumn(0); d < headDim; d += kLanesOfRow) to[d] = fromFloat<T>(scale * from[d]);
}

// Grid: key tiles, key/value heads. sumsK and sumsV [Tk, Hkv, D] F32.
template <class T>
__global__ void __launch_bounds__(kThreads)
    keyTileKernel(TileCall<T> call, const AttentionTile* tiles, float* sumsK, float* sumsV, T* dK, T* dV) {
    auto& shared = *dynamicShared<Shared>();
    const AttentionTile tile = tiles[blockIdx.x];
    const AttentionSequence& sequence = tile.sequence;
    const AttentionRule& rule = call.rule;
    const int firstHead = static_cast<int>(blockIdx.y) * rule.group();
    const int last = min(tile.first + kTile, sequence.numKeys) - 1;
    const RowRange range = queriesSeeingSome(rule.mask, sequence, tile.first, last);
    TilePair pair{sequence, 0, tile.first, firstHead};
    bool isFirst = true;
    for (pair.head = firstHead; pair.head < firstHead + rule.group(); ++pair.head) {
        for (pair.firstQuery = range.begin / kTile * kTile; pair.firstQuery < range.end; pair.firstQuery += kTile) {
            Piece slopes;
            gradientTile(call, shared, pair, slopes);
            const auto rowsOf = [&](float* sums) {
                return [&, sums](int j) {
                    return pair.holdsKey(j) ? sums + call.keyRow(pair.keyOf(j), pair.head) : nullptr;
                };
            };
            accumulate(
                shared, rule.headDim, [&](int j, int k) { return shared.first[k * kStride + j]; },
                queryRows(call, call.dOut, pair), rowsOf(sumsV), isFirst, nullptr);
            bendGradient(rule, shared, slopes);
            accumulate(
                shared, rule.headDim, [&](int j, int k) { return shared.second[k * kStride + j]; },
                queryRows(call, call.q, pair), rowsOf(sumsK), isFirst, nullptr);
            isFirst = false;
            __syncthreads();
        }
    }
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
        if (!pair.holdsKey(pieceRow(i))) continue;
        const int64_t row = call.keyRow(pair.keyOf(pieceRow(i)), firstHead);
        for (int d = pieceColumn(0); isFirst && d < rule.headDim; d += kLanesOfRow) sumsK[row + d] = sumsV[row + d] = 0;
        storeScaled(sumsK + row, dK == nullptr ? nullptr : dK + row, rule.headDim, rule.scale);
        storeScaled(sumsV + row, dV == nullptr ? nullptr : dV + row, rule.headDim, 1.0F);
    }
}

// Sums of dS along the diagonals of a tile into `partial` [N], each entry by one thread.
__device__ void addDiagonals(const AttentionBiasData& bias, const Shared& shared, const TilePair& pair,
                             float* partial) {
    const int distance = pair.firstKey - pair.position(0);  // of the tile's first pair
    const int low = bias.tableEntry(distance - (kTile - 1));
    const int high = bias.tableEntry(distance + kTile - 1);
    for (int entry = low + static_cast<int>(threadIdx.x); entry <= high; entry += kThreads) {
        float sum = 0;
        for (int i = 0; i < kTile; ++i) {
            const int at = entry - bias.tableLength / 2 - distance + i;
            const int first = entry == 0 ? 0 : max(at, 0);
            const int end = entry == bias.tableLength - 1 ? kTile : min(at + 1, kTile);
            for (int j = first; j < end; ++j) sum += shared.second[i * kStride + j];
        }
        partial[entry] += sum;
    }
}

// Grid: query tiles, heads. sums [Tq, Hq, D] F32; partials [tiles, Hq, N] for a distance table.
template <class T>
__global__ void __launch_bounds__(kThreads)
    queryTileKernel(TileCall<T> call, const AttentionTile* tiles, float* sums, T* dQ, float* dBias, float* partials) {
    auto& shared = *dynamicShared<Shared>();
    const AttentionTile tile = tiles[blockIdx.x];
    const int head = static_cast<int>(blockIdx.y);
    const AttentionRule& rule = call.rule;
    const int last = min(tile.first + kTile, tile.sequence.numQueries) - 1;
    const RowRange range = keysSeenBySome(rule.mask, tile.sequence, tile.first, last);
    TilePair pair{tile.sequence, tile.first, 0, head};
    float* partial = partials + (int64_t{blockIdx.x} * rule.numHeads + head) * rule.bias.tableLength;
    const bool hasTable = dBias != nullptr && rule.bias.kind == AttentionBias::DistanceTable;
    for (int n = static_cast<int>(threadIdx.x); hasTable && n < rule.bias.tableLength; n += kThreads) partial[n] = 0;
    bool isFirst = true;
    for (pair.firstKey = range.begin / kTile * kTile; pair.firstKey < range.end; pair.firstKey += kTile) {
        Piece slopes;
        gradientTile(call, shared, pair, slopes);
        if (hasTable) {
            addDiagonals(rule.bias, shared, pair, partial);
        } else if (dBias != nullptr) {
            for (int i = static_cast<int>(threadIdx.x); i < kTile * kTile; i += kThreads) {
                if (!pair.sees(rule.mask, i / kTile, i % kTile)) continue;
                dBias[rule.bias.denseIndex(head, pair.queryOf(i / kTile), pair.firstKey + i % kTile)] +=
                    shared.second[i / kTile * kStride + i % kTile];
            }
        }
        bendGradient(rule, shared, slopes);
        accumulate(
            shared, rule.headDim, [&](int i, int k) { return shared.second[i * kStride + k]; },
            keyRows(call, call.k, pair),
            [&](int i) { return pair.holdsQuery(i) ? sums + call.queryRow(pair.queryOf(i), head) : nullptr; }, isFirst,
            nullptr);
        isFirst = false;
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
        if (!pair.holdsQuery(pieceRow(i))) continue;
        const int64_t row = call.queryRow(pair.queryOf(pieceRow(i)), head);
        for (int d = pieceColumn(0); isFirst && d < rule.headDim; d += kLanesOfRow) sums[row + d] = 0;
        storeScaled(sums + row, dQ == nullptr ? nullptr : dQ + row, rule.headDim, rule.scale);
    }
}

// dBias [Hq, N] += the partials of all tiles, in their order.
__global__ void __launch_bounds__(kThreads)
    sumPartialsKernel(const float* partials, float* dBias, int numTiles, int count) {
    const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
    if (i >= count) return;
    float sum = 0;
    for (int tile = 0; tile < numTiles; ++tile) sum += partials[int64_t{tile} * count + i];
    dBias[i] += sum;
}

template <class T, class Args>
TileCall<T> tileCall(const Args& args) {
    TileCall<T> call{};
    call.q = args.q.template as<T>();
    call.k = args.k.template as<T>();
    call.v = args.v.template as<T>();
    call.rule = attentionRule(args);
    call.dropout = attentionDropout(args);
    return call;
}

template <class Args>
const AttentionTile* queryTiles(const Context& context, const Args& args, unsigned& count) {
    const std::vector<AttentionTile> tiles =
        listQueryTiles(args.cuSeqlensQ, args.cuSeqlensK, attentionMask(args.options), kTile);
    count = static_cast<unsigned>(tiles.size());
    return streamOf(context).upload(std::span<const AttentionTile>(tiles));
}

int64_t numQueryTiles(std::span<const int32_t> bounds) {
    int64_t count = 0;
    for (size_t b = 0; b + 1 < bounds.size(); ++b) count += (bounds[b + 1] - bounds[b] + kTile - 1) / kTile;
    return count;
}

// Floats of the parts of the backward workspace, one after the other.
struct BackwardParts {
    int64_t delta;
    int64_t queries;
    int64_t keys;  // twice
    int64_t partials;

    explicit BackwardParts(const AttentionBackwardArgs& args)
        : delta(args.q.shape[0] * args.q.shape[1]), queries(args.q.shape.count()), keys(args.k.shape.count()) {
        const bool hasTable = args.dBias.isPresent() && args.options.bias == AttentionBias::DistanceTable;
        partials = hasTable ? numQueryTiles(args.cuSeqlensQ) * args.bias.shape.count() : 0;
    }
    size_t bytes() const { return static_cast<size_t>(delta + queries + 2 * keys + partials) * sizeof(float); }
};

template <class T>
void backward(const Context& context, const AttentionBackwardArgs& args) {
    Stream& stream = streamOf(context);
    const BackwardParts parts(args);
    float* delta = args.workspace.as<float>();
    float* sumsQ = delta + parts.delta;
    float* sumsK = sumsQ + parts.queries;
    float* sumsV = sumsK + parts.keys;
    float* partials = sumsV + parts.keys;
    TileCall<T> call = tileCall<T>(args);
    call.dOut = args.dOut.as<T>();
    call.logSumExp = args.logSumExp.as<float>();
    call.delta = delta;
    launch(stream, {blocksFor(parts.delta * kWarpSize, kThreads), kThreads}, deltaKernel<T>, args.out.as<T>(),
           args.dOut.as<T>(), delta, parts.delta, call.rule.headDim);
    if (args.dK.isPresent() || args.dV.isPresent()) {
        const std::vector<AttentionTile> tiles =
            listKeyTiles(args.cuSeqlensQ, args.cuSeqlensK, attentionMask(args.options), kTile);
        const dim3 grid(static_cast<unsigned>(tiles.size()), static_cast<unsigned>(call.rule.keyValueHeads));
        launch(stream, {grid, kThreads, sizeof(Shared)}, keyTileKernel<T>, call,
               stream.upload(std::span<const AttentionTile>(tiles)), sumsK, sumsV, args.dK.as<T>(), args.dV.as<T>());
    }
    if (!args.dQ.isPresent() && !args.dBias.isPresent()) return;
    unsigned count = 0;
    const AttentionTile* tiles = queryTiles(context, args, count);
    launch(stream, {dim3(count, static_cast<unsigned>(call.rule.numHeads)), kThreads, sizeof(Shared)},
           queryTileKernel<T>, call, tiles, sumsQ, args.dQ.as<T>(), args.dBias.as<float>(), partials);
    if (parts.partials == 0) return;
    const auto entries = static_cast<int>(args.bias.shape.count());
    launch(stream, {blocksFor(entries, kThreads), kThreads}, sumPartialsKernel, partials, args.dBias.as<float>(),
           static_cast<int>(count), entries);
}

}  // namespace

size_t attentionForwardMemoryEfficientWorkspace(const Context& /*context*/, const AttentionForwardArgs& args) {
    return static_cast<size_t>(args.q.shape.count()) * sizeof(float);
}

void attentionForwardMemoryEfficient(const Context& context, const AttentionForwardArgs& args) {
    withType("attention_forward", args.q.dtype, [&](auto tag) {
        using T = typename decltype(tag)::Type;
        unsigned count = 0;
        const AttentionTile* tiles = queryTiles(context, args, count);
        launch(streamOf(context), {dim3(count, static_cast<unsigned>(args.q.shape[1])), kThreads, sizeof(Shared)},
               forwardTileKernel<T>, tileCall<T>(args), tiles, args.workspace.as<float>(), args.out.as<T>(),
               args.logSumExp.as<float>());
    });
}

size_t attentionBackwardMemoryEfficientWorkspace(const Context& /*context*/, const AttentionBackwardArgs& args) {
    return BackwardParts(args).bytes();
}

void attentionBackwardMemoryEfficient(const Context& context, const AttentionBackwardArgs& args) {
    withType("attention_backward", args.q.dtype,
             [&](auto tag) { backward<typename decltype(tag)::Type>(context, args); });
}

}  // namespace wb::kernels::cuda
