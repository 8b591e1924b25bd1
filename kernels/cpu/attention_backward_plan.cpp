// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_backward_plan.h"

namespace wb::kernels::cpu {
namespace {

// More slices keep more threads busy with few heads, and cost one partial dQ each. Four key blocks pay for one.
constexpr int64_t kMaxSlices = 4;
constexpr int64_t kBlocksPerSlice = 4;
// Slices in flight per thread: evens out what causal masks make uneven.
constexpr int64_t kSlicesPerThread = 4;

}  // namespace

BackwardPlan::BackwardPlan(const AttentionBackwardArgs& args, int numThreads)
    : headDim(args.q.shape[2]),
      group(args.q.shape[1] / args.k.shape[1]),
      maxKeys(longestSequence(args.cuSeqlensK)),
      tableLength(args.dBias.isPresent() && args.options.bias == AttentionBias::DistanceTable ? args.bias.shape[1] : 0),
      tiles(listTiles(args.cuSeqlensQ, 1, group)) {
    const int64_t threads = std::max(1, numThreads);
    for (size_t b = 0; b + 1 < args.cuSeqlensQ.size(); ++b) {
        const AttentionSequence sequence = attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, b);
        const int64_t blocks = (sequence.numKeys + kTileKeys - 1) / kTileKeys;
        Sequence s;
        s.rows = roundUp(sequence.numQueries * group, kLaneStep);
        s.numSlices = std::clamp<int64_t>(blocks / kBlocksPerSlice, 1, kMaxSlices);
        s.firstFloat = headFloats;
        s.firstTable = headTables;
        headFloats += s.rows * (headDim * (2 + s.numSlices) + 2);
        headTables += roundUp(s.numSlices * group * tableLength, kLaneStep);
        for (int64_t slice = 0; slice < s.numSlices; ++slice) slices.push_back({b, slice});
        sequences.push_back(s);
    }
    const auto slicesPerHead = std::max<int64_t>(1, static_cast<int64_t>(slices.size()));
    waveHeads =
        std::clamp<int64_t>((kSlicesPerThread * threads + slicesPerHead - 1) / slicesPerHead, 1, args.k.shape[1]);
    scratchFloats = BackwardScratch::floats(headDim, args.options);
    totalFloats = static_cast<size_t>(waveHeads * (headFloats + headTables) + threads * scratchFloats);
}

PackedTile BackwardPlan::packedTile(float* workspace, size_t sequence, int64_t waveHead, int64_t tile) const {
    const Sequence& s = sequences[sequence];
    const int64_t matrix = s.rows * headDim;
    float* base = workspace + waveHead * headFloats + s.firstFloat;
    const int64_t firstRow = tile * kTileRows;
    return {.queries = base + firstRow * headDim,
            .dOut = base + matrix + firstRow * headDim,
            .logSumExp = base + 2 * matrix + firstRow,
            .delta = base + 2 * matrix + s.rows + firstRow,
            .dQueries = base + 2 * matrix + 2 * s.rows + firstRow * headDim,
            .sliceStride = matrix,
            .numSlices = s.numSlices};
}

float* BackwardPlan::table(float* workspace, size_t sequence, int64_t waveHead, int64_t slice) const {
    if (tableLength == 0) return nullptr;
    return workspace + waveHeads * headFloats + waveHead * headTables + sequences[sequence].firstTable +
           slice * group * tableLength;
}

BackwardScratch::BackwardScratch(float* start, int64_t headDim)
    : paddedDim(roundUp(headDim, kLaneStep)),
      keys(start),
      values(keys + kTileKeys * headDim),
      scores(values + kTileKeys * headDim),
      products(scores + kTileKeys * kTileRows),
      extra(products + kTileKeys * kTileRows),
      rows(extra + kTileKeys * kTileRows),
      dKeys(rows + kTileRows * paddedDim),
      dValues(dKeys + kTileKeys * paddedDim),
      capSlopes(dValues + kTileKeys * paddedDim) {}

int64_t BackwardScratch::floats(int64_t headDim, const AttentionOptions& options) {
    const int64_t tilesOfScores = options.softCap > 0 ? 4 : 3;
    return kTileKeys * (2 * headDim + 3 * roundUp(headDim, kLaneStep)) + tilesOfScores * kTileKeys * kTileRows;
}

void scatterBias(const View& dBias, AttentionBias kind, const QueryTile& tile, int64_t firstKey, int64_t numKeys,
                 const float* dScores, float* dTable) {
    const int64_t columns = tile.columns();
    for (int64_t r = 0; r < tile.numRows; ++r) {
        if (kind == AttentionBias::Dense) {
            float* row = dBias.as<float>() + (tile.head(r) * dBias.shape[1] + tile.token(r)) * dBias.shape[2];
            for (int64_t j = 0; j < numKeys; ++j) row[firstKey + j] += dScores[j * columns + r];
            continue;
        }
        const int64_t length = dBias.shape[1];
        float* row = dTable + (tile.head(r) - tile.keyValueHead * tile.group) * length;
        for (int64_t j = 0; j < numKeys; ++j) {
            row[distanceIndex(firstKey + j, tile.position(r), length)] += dScores[j * columns + r];
        }
    }
}

}  // namespace wb::kernels::cpu
