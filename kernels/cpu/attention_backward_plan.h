// SPDX-License-Identifier: Apache-2.0
// Who computes what in the O(T) backward passes of attention, and where it lies in the workspace.
//
// The key blocks of a (sequence, key/value head) are dealt round-robin to at most four slices. A slice is one thread's
// work: it owns dK and dV of its blocks and a partial dQ. Afterwards the partial dQ (and partial distance tables) are
// added in the order of slices. Slices depend on the length of the sequence alone, so the bits depend neither on the
// number of threads nor on what else is in the batch. Key/value heads are taken in waves that just keep the threads
// busy, because memory is per head in flight.
#pragma once

#include "kernels/cpu/attention_tiles.h"

#include <cstdint>
#include <vector>

namespace wb::kernels::cpu {

// What a kernel wants of the plan.
struct BackwardShape {
    int64_t tileRows = kTileRows;
    int64_t blockKeys = kTileKeys;
    int64_t blocksPerSlice = 4;  // key blocks that pay for a partial dQ of their own
    int64_t packedMatrices = 2;  // of rows x D floats a tile keeps for the slices
    int64_t scratchFloats = 0;   // of one thread
};

// A tile of query rows as the slices read it, and its partial dQ of each slice.
struct PackedTile {
    float* queries;    // first packed matrix; how many there are is the kernel's choice
    float* dOut;       // second packed matrix
    float* queryRows;  // third
    float* dOutRows;   // fourth
    float* logSumExp;  // [rows]
    float* delta;      // [rows]
    float* dQueries;   // rows x D of slice 0
    int64_t sliceStride;
    int64_t numSlices;

    float* dQuery(int64_t slice) const { return dQueries + slice * sliceStride; }
};

struct SliceRef {
    size_t sequence = 0;
    int64_t slice = 0;
};

// The work of one thread: the key blocks slice, slice + numSlices, ... of a sequence and key/value head.
struct SliceWork {
    AttentionSequence sequence;
    size_t sequenceIndex = 0;
    int64_t keyValueHead = 0;
    int64_t waveHead = 0;  // of the heads in flight
    int64_t slice = 0;
    int64_t numSlices = 1;
    int64_t maxKeys = 0;      // longest sequence of the batch
    float* dTable = nullptr;  // [group, N] of this slice, or null
};

struct BackwardPlan {
    struct Sequence {
        int64_t rows = 0;  // packed, rounded up to kLaneStep
        int64_t numSlices = 1;
        int64_t firstFloat = 0;  // of its tiles, within a wave head
        int64_t firstTable = 0;  // of its slices' tables, within a wave head
    };

    BackwardShape shape;
    int64_t headDim = 0;
    int64_t group = 1;
    int64_t maxKeys = 0;
    int64_t tableLength = 0;  // 0: no gradient of a distance table
    int64_t waveHeads = 1;
    std::vector<Sequence> sequences;
    std::vector<TileRef> tiles;  // of one head
    std::vector<SliceRef> slices;
    int64_t headFloats = 0;  // packed tiles of all sequences of one head
    int64_t headTables = 0;
    size_t totalFloats = 0;

    BackwardPlan(const AttentionBackwardArgs& args, int numThreads, const BackwardShape& shapeOfKernel);

    PackedTile packedTile(float* workspace, size_t sequence, int64_t waveHead, int64_t tile) const;
    // Null without a distance table.
    float* table(float* workspace, size_t sequence, int64_t waveHead, int64_t slice) const;
    const float* table(const float* workspace, size_t sequence, int64_t waveHead, int64_t slice) const {
        return table(const_cast<float*>(workspace), sequence, waveHead, slice);
    }
    float* scratch(float* workspace, int thread) const {
        return workspace + waveHeads * (headFloats + headTables) + thread * shape.scratchFloats;
    }
};

// The three passes over a wave of heads, one call for a tile or a slice.
struct BackwardSteps {
    void (*packTile)(const AttentionBackwardArgs&, const QueryTile&, const PackedTile&) = nullptr;  // null: none
    void (*runSlice)(const AttentionBackwardArgs&, const BackwardPlan&, const SliceWork&, float* workspace,
                     float* scratch) = nullptr;
    // dQ of a tile from its partial sums.
    void (*finishTile)(const AttentionBackwardArgs&, const QueryTile&, const PackedTile&) = nullptr;
};

// All heads, in waves; args.workspace holds plan.totalFloats floats.
void runBackward(const Context& context, const AttentionBackwardArgs& args, const BackwardPlan& plan,
                 const BackwardSteps& steps);

// Scratch of one thread, in floats.
struct BackwardScratch {
    int64_t paddedDim;  // D rounded up: rows of SIMD lanes along D
    float* keys;        // [keys, D]
    float* values;      // [keys, D]
    float* scores;      // [keys, rows]: S, then W
    float* products;    // [keys, rows]: dOut v^T, then dS
    float* extra;       // [keys, rows]: bias, then dropout, then dBias
    float* dKeys;       // [keys, paddedDim]
    float* dValues;     // [keys, paddedDim]
    float* capSlopes;   // [keys, rows], only with a soft cap

    BackwardScratch(float* start, int64_t headDim, int64_t group);
    static int64_t floats(int64_t headDim, int64_t group, const AttentionOptions& options);
};

// dBias += dS of a tile: into the dense bias itself, each element of which belongs to one tile and block, or into the
// slice's own distance table. `scratch` holds extraFloats().
void scatterBias(const View& dBias, AttentionBias kind, const QueryTile& tile, int64_t firstKey, int64_t numKeys,
                 const float* dScores, float* dTable, float* scratch);

}  // namespace wb::kernels::cpu
