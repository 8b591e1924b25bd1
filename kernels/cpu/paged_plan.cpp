// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/paged_plan.h"

namespace wb::kernels::cpu {
namespace {

// Below this many tiles a thread, the tiles alone would leave threads idle and spans are dealt instead.
constexpr int64_t kTilesPerThread = 2;

PagedPartial partialAt(float* start, int64_t columns, int64_t paddedDim) {
    return {start, start + columns * paddedDim, start + columns * (paddedDim + 1)};
}

}  // namespace

PagedPlan::PagedPlan(const PagedAttentionArgs& args, int numThreads)
    : headDim(args.q.shape[2]), paddedDim(roundUp(headDim, kLaneStep)) {
    const int64_t keyValueHeads = args.keyCache.shape[2];
    const int64_t group = args.q.shape[1] / keyValueHeads;
    const int64_t threads = std::max(1, numThreads);
    int64_t numSpans = 0;
    for (const TileRef& ref : listTiles(args.cuSeqlensQ, keyValueHeads, group)) {
        const size_t b = ref.sequence;
        const AttentionSequence sequence{args.cuSeqlensQ[b], args.cuSeqlensQ[b + 1] - args.cuSeqlensQ[b], 0,
                                         args.keyLengths[b]};
        PagedTile paged{QueryTile(sequence, ref.keyValueHead, group, ref.tile),
                        args.blockTables.data() + b * static_cast<size_t>(args.maxBlocks)};
        const KeyRange seen = paged.tile.seenBySome(args.options);
        paged.firstSpan = seen.begin / kSpanKeys;
        paged.endSpan = seen.begin < seen.end ? (seen.end + kSpanKeys - 1) / kSpanKeys : paged.firstSpan;
        numSpans += paged.endSpan - paged.firstSpan;
        flops += 4.0 * static_cast<double>(paged.tile.columns() * headDim) *
                 static_cast<double>(std::max<int64_t>(0, seen.end - seen.begin));
        tiles.push_back(paged);
    }
    const auto numTilesOfCall = static_cast<int64_t>(tiles.size());
    isSplit = threads > 1 && numTilesOfCall < kTilesPerThread * threads && numSpans > numTilesOfCall;
    for (size_t i = 0; isSplit && i < tiles.size(); ++i) {
        tiles[i].firstPartial = partialFloats;
        partialFloats += (tiles[i].endSpan - tiles[i].firstSpan) * floatsOfPartial(tiles[i].tile.columns());
        for (int64_t span = tiles[i].firstSpan; span < tiles[i].endSpan; ++span) spans.push_back({i, span});
    }
    biasFloats = args.options.bias == AttentionBias::DistanceTable ? extraFloats(group) : 0;
    scratchFloats = biasFloats + kTileRows * headDim + kTileKeys * paddedDim + kTileKeys * kTileRows + kTileRows +
                    2 * floatsOfPartial(kTileRows);
    totalFloats = static_cast<size_t>(partialFloats + threads * scratchFloats);
}

PagedPartial PagedPlan::partial(float* workspace, const PagedTile& tile, int64_t span) const {
    const int64_t columns = tile.tile.columns();
    return partialAt(workspace + tile.firstPartial + (span - tile.firstSpan) * floatsOfPartial(columns), columns,
                     paddedDim);
}

PagedScratch PagedPlan::scratch(float* workspace, int thread) const {
    PagedScratch s;
    s.paddedDim = paddedDim;
    s.queries = workspace + partialFloats + thread * scratchFloats;
    s.operand = s.queries + kTileRows * headDim;
    s.scores = s.operand + kTileKeys * paddedDim;
    s.shrink = s.scores + kTileKeys * kTileRows;
    s.bias = s.shrink + kTileRows;
    float* partials = s.bias + biasFloats;
    s.part = partialAt(partials, kTileRows, paddedDim);
    s.merged = partialAt(partials + floatsOfPartial(kTileRows), kTileRows, paddedDim);
    return s;
}

}  // namespace wb::kernels::cpu
