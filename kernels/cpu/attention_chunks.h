// SPDX-License-Identifier: Apache-2.0
// Geometry of memory_efficient attention: chunks of query rows against chunks of keys, each product one call of the
// matrix layer. Rows are packed as in kernels/cpu/attention_tiles.h; matrices lie [rows, keys], [rows, D] and [keys,
// D].
#pragma once

#include "kernels/cpu/attention_tiles.h"
#include "kernels/cpu/gemm.h"

#include <cstdint>
#include <initializer_list>

namespace wb::kernels::cpu {

// Rows of a chunk. More rows read keys less often; fewer waste less above the diagonal of a causal mask.
inline constexpr int64_t kChunkRows = 128;
inline constexpr int64_t kForwardChunkKeys = 512;
inline constexpr int64_t kBackwardChunkKeys = 256;
// A row of a chunk and the keys of the chunk that it sees.
struct ChunkRow {
    int64_t head = 0;
    int64_t token = 0;
    int64_t position = 0;
    KeyRange keys;  // of the sequence; empty: begin = end

    ChunkRow(const QueryTile& tile, int64_t r, const AttentionOptions& options, KeyRange chunk)
        : head(tile.head(r)),
          token(tile.token(r)),
          position(tile.position(r)),
          keys(visibleKeys(options, position, tile.sequence.numKeys)) {
        keys.begin = std::clamp(keys.begin, chunk.begin, chunk.end);
        keys.end = std::clamp(keys.end, keys.begin, chunk.end);
    }
};

// Which keys of a row read the first entry of a distance table, which read on entry by entry, which the last.
struct TableSegments {
    int64_t numLow = 0;
    int64_t firstEntry = 0;  // of the middle keys
    int64_t numMiddle = 0;
    int64_t numHigh = 0;

    TableSegments(const ChunkRow& row, int64_t tableLength) {
        const int64_t keyOfEntry0 = row.position - tableLength / 2;
        const int64_t middleBegin = std::clamp(keyOfEntry0, row.keys.begin, row.keys.end);
        const int64_t middleEnd = std::clamp(keyOfEntry0 + tableLength, middleBegin, row.keys.end);
        numLow = middleBegin - row.keys.begin;
        firstEntry = middleBegin - keyOfEntry0;
        numMiddle = middleEnd - middleBegin;
        numHigh = row.keys.end - middleEnd;
    }
};

// The part of a chunk of keys that some row of a tile sees; empty: begin >= end.
inline KeyRange seenOfChunk(KeyRange chunk, KeyRange seen) {
    return {std::max(chunk.begin, seen.begin), std::min(chunk.end, seen.end)};
}

// Elements between rows of a matrix of `count` columns that starts its rows on cache lines.
inline int64_t chunkStride(int64_t count) {
    return roundUp(count, kLaneStep);
}

// A matrix of a chunk as the matrix layer reads it.
struct ChunkOperand {
    const float* data = nullptr;
    int64_t stride = 0;  // elements
    bool isTransposed = false;
};

inline ChunkOperand transposed(ChunkOperand x) {
    x.isTransposed = !x.isTransposed;
    return x;
}
// The rows from `skipped` on.
inline ChunkOperand rowsFrom(ChunkOperand x, int64_t skipped) {
    x.data += skipped * x.stride;
    return x;
}

enum class Sum { Start, Continue };

struct ChunkSize {
    int64_t m, n, k;
};

// C = factor * A B (+ C) with A [m, k], B [k, n], C [m, n] F32, on the calling thread alone.
inline GemmProblem chunkProduct(const ChunkSize& size, const ChunkOperand& a, const ChunkOperand& b, float* c,
                                int64_t strideC, Sum sum, float factor = 1.0F) {
    return {.m = size.m,
            .n = size.n,
            .k = size.k,
            .a = a.data,
            .strideA = a.stride,
            .isTransposedA = a.isTransposed,
            .b = b.data,
            .strideB = b.stride,
            .isTransposedB = b.isTransposed,
            .c = c,
            .strideC = strideC,
            .alpha = factor,
            .accumulates = sum == Sum::Continue,
            .numThreads = 1};
}

// Floats of scratch for products of at most these sizes.
inline int64_t chunkProductFloats(std::initializer_list<ChunkSize> sizes) {
    size_t bytes = 0;
    for (const ChunkSize& size : sizes) {
        bytes = std::max(bytes, gemmWorkspaceBytes(size.m, size.n, size.k, DType::F32, DType::F32, 1));
    }
    return roundUp(static_cast<int64_t>(bytes / sizeof(float)), kLaneStep);
}

}  // namespace wb::kernels::cpu
