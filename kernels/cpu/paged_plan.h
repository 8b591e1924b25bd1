// SPDX-License-Identifier: Apache-2.0
// Tiles and spans of a call of paged attention, and where their partial results lie in the workspace.
#pragma once

#include "kernels/cpu/attention_tiles.h"

#include <cstdint>
#include <vector>

namespace wb::kernels::cpu {

inline constexpr int64_t kSpanKeys = 512;  // a multiple of kTileKeys; large enough that merging costs nothing

// What a tile of query rows has gathered so far.
struct PagedPartial {
    float* sums = nullptr;     // [rows, paddedDim]
    float* highest = nullptr;  // [rows]
    float* total = nullptr;    // [rows]
};

struct PagedTile {
    QueryTile tile;
    const int32_t* table = nullptr;  // blocks of the sequence
    int64_t firstSpan = 0;
    int64_t endSpan = 0;
    int64_t firstPartial = 0;  // in floats, if the call is split
};

struct PagedSpan {
    size_t tile = 0;
    int64_t span = 0;
};

// Scratch of one thread.
struct PagedScratch {
    int64_t paddedDim = 0;
    float* queries = nullptr;  // [D, rows], scaled
    float* operand = nullptr;  // [keys, D] or [keys, paddedDim]
    float* scores = nullptr;   // [keys, rows]
    float* shrink = nullptr;   // [rows]
    float* bias = nullptr;     // [keys, rows], where a table is read
    PagedPartial part;
    PagedPartial merged;
    LaneFacts* facts = nullptr;
};

struct PagedPlan {
    std::vector<PagedTile> tiles;
    std::vector<PagedSpan> spans;  // only if split
    bool isSplit = false;          // spans, not tiles, are dealt to threads
    int64_t headDim = 0;
    int64_t paddedDim = 0;
    double flops = 0;           // with the lanes that stay empty
    int64_t partialFloats = 0;  // of all spans
    int64_t biasFloats = 0;     // of one thread
    int64_t scratchFloats = 0;  // of one thread
    size_t totalFloats = 0;

    PagedPlan(const PagedAttentionArgs& args, int numThreads);

    PagedPartial partial(float* workspace, const PagedTile& tile, int64_t span) const;
    PagedScratch scratch(float* workspace, int thread) const;

private:
    int64_t floatsOfPartial(int64_t columns) const { return columns * (paddedDim + 2); }
};

}  // namespace wb::kernels::cpu
