// SPDX-License-Identifier: Apache-2.0
// Tiles of attention over the block cache. A tile holds query rows of one sequence that share a key/value head: row r
// is query r / G of head G * kvHead + r % G for groups of G heads, so a cached element is read once for a whole group.
//
// Keys are cut by their place in the sequence: into spans of kSpanKeys, a span into steps. Over the steps of a span
// runs the online softmax in base 2, from the empty state (O, l, m) = (0, 0, -infinity):
//
//   m' = max(m, max y);  p = 2^(y - m');  l' = l 2^(m - m') + sum p;  O' = O 2^(m - m') + p V;  y = log2(e) S
//
// Spans are merged in order by the same formula. Who runs a step (one warp for its own rows, or four warps that share
// the columns of 16 rows) changes no operation of a row, and a step in which a row sees nothing changes nothing of it:
// a row has the same bits in any batch and any chunking. Roundings that a compiler might fuse are written out.
#pragma once

#include "kernels/cuda/attention_geometry.h"

namespace wb::kernels::cuda {

inline constexpr int kSpanKeys = 256;

// What all blocks of a call share.
template <class T>
struct PagedCall {
    const T* q;
    const T* keys;
    const T* values;
    T* out;
    const int32_t* boundsQ;
    const int32_t* keyLengths;
    const int32_t* tables;
    int maxBlocks;
    int blockSize;
    bool isPacked;  // rows of q and of the caches can be read in packs of 16 bytes
    AttentionRule rule;
    // Results of spans, where a call is split: [span, row of q and head, headDim], and (l, m) of each.
    float* sums;
    float2* stats;
    int64_t numRows;
};

// State of a row.
struct RowState {
    float total = 0;
    float highest = -INFINITY;
};

// Factors that bring the sums of two states to their common maximum.
struct MergeFactors {
    float first;
    float second;
};

__device__ inline float shiftOf(float highest) {
    return highest == -INFINITY ? 0.0F : highest;
}
__device__ inline MergeFactors mergeStates(RowState& into, const RowState& next) {
    const float highest = fmaxf(into.highest, next.highest);
    const float shift = shiftOf(highest);
    const MergeFactors factors{exp2Approximately(into.highest - shift), exp2Approximately(next.highest - shift)};
    into.total = __fmaf_rn(into.total, factors.first, __fmul_rn(next.total, factors.second));
    into.highest = highest;
    return factors;
}
__device__ inline float mergeSums(float into, float next, const MergeFactors& factors) {
    return __fmaf_rn(into, factors.first, __fmul_rn(next, factors.second));
}
__device__ inline float normed(float sum, float total) {
    return total == 0 ? 0.0F : __fdiv_rn(sum, total);
}

// The rows and keys of one block.
struct PagedTile {
    AttentionSequence sequence;
    int firstRow = 0;  // of the sequence's queries times heads of the group
    int numRows = 0;
    int group = 1;
    int keyValueHead = 0;
    const int32_t* table = nullptr;

    __device__ int head(int row) const { return keyValueHead * group + (firstRow + row) % group; }
    __device__ int position(int row) const { return sequence.position((firstRow + row) / group); }
    // Of a row in q seen as [Tq * Hq, D].
    __device__ int64_t rowOfCall(int row, int numHeads) const {
        return int64_t{sequence.firstQuery + (firstRow + row) / group} * numHeads + head(row);
    }
    __device__ RowRange visible(const AttentionMask& mask, int row) const {
        if (row >= numRows) return {};
        return {mask.firstKey(position(row)), mask.endKey(position(row), sequence.numKeys)};
    }
    // Keys that some row sees: ranges move with the position.
    __device__ RowRange visibleToSome(const AttentionMask& mask) const {
        return {visible(mask, 0).begin, visible(mask, numRows - 1).end};
    }
};

template <class T>
__device__ inline PagedTile pagedTile(const PagedCall<T>& call, int sequence, int keyValueHead, int firstRow,
                                      int maxRows) {
    PagedTile tile;
    const int firstQuery = call.boundsQ[sequence];
    tile.sequence = {firstQuery, call.boundsQ[sequence + 1] - firstQuery, 0, call.keyLengths[sequence]};
    tile.group = call.rule.group();
    tile.firstRow = firstRow;
    tile.numRows = max(0, min(maxRows, tile.sequence.numQueries * tile.group - firstRow));
    tile.keyValueHead = keyValueHead;
    tile.table = call.tables + int64_t{sequence} * call.maxBlocks;
    return tile;
}

// log2(e) S of a dot product.
template <class T>
__device__ inline float scoreInBase2(const AttentionRule& rule, float dot, int head, int position, int key) {
    constexpr float kLog2E = 1.4426950408889634F;
    float score = __fmul_rn(dot, __fmul_rn(rule.scale, kLog2E));
    if (rule.softCap > 0) {
        score = __fmul_rn(__fmul_rn(rule.softCap, kLog2E), tanhf(__fmul_rn(dot, __fdiv_rn(rule.scale, rule.softCap))));
    }
    if (rule.bias.kind == AttentionBias::None) return score;
    return __fmaf_rn(rule.bias.value<T>(head, 0, position, key), kLog2E, score);
}

// Sixteen bytes of a row to shared memory; zeros behind headDim and for absent rows.
template <class T>
__device__ inline void copyChunk(const PagedCall<T>& call, T* to, const T* row, int column) {
    const int headDim = call.rule.headDim;
    if (call.isPacked) {
        const bool isPresent = row != nullptr && column < headDim;
        copyAsync16(to, isPresent ? row + column : call.q, isPresent);
        return;
    }
    for (int i = 0; i < kPackOf<T>; ++i) {
        to[i] = row != nullptr && column + i < headDim ? row[column + i] : fromFloat<T>(0.0F);
    }
}

// Row(i) for i in [0, kRows), each a pointer or null, to shared memory with rows of kStride elements.
template <int kRows, int kDim, int kStride, int kThreads, class T, class Row>
__device__ inline void loadRows(const PagedCall<T>& call, T* shared, const Row& row) {
    constexpr int kChunks = kDim / kPackOf<T>;
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kChunks; i += kThreads) {
        const int column = i % kChunks * kPackOf<T>;
        copyChunk(call, shared + i / kChunks * kStride + column, row(i / kChunks), column);
    }
}

// Row of `cache` that holds a key of the tile's sequence; null behind the last.
template <class T>
__device__ inline const T* cachedRow(const PagedCall<T>& call, const PagedTile& tile, const T* cache, int key) {
    if (key >= tile.sequence.numKeys) return nullptr;
    const int64_t slot = int64_t{tile.table[key / call.blockSize]} * call.blockSize + key % call.blockSize;
    return cache + (slot * call.rule.keyValueHeads + tile.keyValueHead) * call.rule.headDim;
}
template <class T>
__device__ inline const T* queryRow(const PagedCall<T>& call, const PagedTile& tile, int row) {
    return row < tile.numRows ? call.q + tile.rowOfCall(row, call.rule.numHeads) * call.rule.headDim : nullptr;
}

}  // namespace wb::kernels::cuda
