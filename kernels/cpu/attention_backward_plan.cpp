// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_backward_plan.h"

#include <omp.h>

namespace wb::kernels::cpu {
namespace {

// More slices keep more threads busy with few heads, and cost one partial dQ each.
constexpr int64_t kMaxSlices = 4;
// Slices in flight per thread: evens out what causal masks make uneven.
constexpr int64_t kSlicesPerThread = 4;

// dTable[head, :] += partial tables of the slices, in the order of sequences and slices.
void addTables(const AttentionBackwardArgs& args, const BackwardPlan& plan, const float* workspace, int64_t firstHead,
               int64_t numHeads) {
    const int64_t length = plan.tableLength;
    for (int64_t waveHead = 0; waveHead < numHeads; ++waveHead) {
        for (size_t b = 0; b < plan.sequences.size(); ++b) {
            for (int64_t slice = 0; slice < plan.sequences[b].numSlices; ++slice) {
                const float* part = plan.table(workspace, b, waveHead, slice);
                float* sum = args.dBias.as<float>() + (firstHead + waveHead) * plan.group * length;
                for (int64_t i = 0; i < plan.group * length; ++i) sum[i] += part[i];
            }
        }
    }
}

// Key/value heads firstHead .. firstHead + numHeads of all sequences.
void runWave(const Context& context, const AttentionBackwardArgs& args, const BackwardPlan& plan,
             const BackwardSteps& steps, int64_t firstHead, int64_t numHeads) {
    float* workspace = args.workspace.as<float>();
    const auto numTilesOfWave = static_cast<int64_t>(plan.tiles.size()) * numHeads;
    const auto numSlicesOfWave = static_cast<int64_t>(plan.slices.size()) * numHeads;
    const auto sequenceOf = [&](size_t b) { return attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, b); };
    const auto onTile = [&](int64_t item, const auto& step) {
        const TileRef& ref = plan.tiles[static_cast<size_t>(item / numHeads)];
        const int64_t waveHead = item % numHeads;
        const QueryTile tile(sequenceOf(ref.sequence), firstHead + waveHead, plan.group, ref.tile, plan.shape.tileRows);
        step(args, tile, plan.packedTile(workspace, ref.sequence, waveHead, ref.tile));
    };
    const int threads = attentionThreads(context, numSlicesOfWave, attentionFlops(args));
#pragma omp parallel num_threads(threads)
    {
        if (steps.packTile != nullptr) {
#pragma omp for schedule(static)
            for (int64_t item = 0; item < numTilesOfWave; ++item) onTile(item, steps.packTile);
        }
#pragma omp for schedule(dynamic)
        for (int64_t item = 0; item < numSlicesOfWave; ++item) {
            const SliceRef& ref = plan.slices[static_cast<size_t>(item / numHeads)];
            const int64_t waveHead = item % numHeads;
            const SliceWork work{.sequence = sequenceOf(ref.sequence),
                                 .sequenceIndex = ref.sequence,
                                 .keyValueHead = firstHead + waveHead,
                                 .waveHead = waveHead,
                                 .slice = ref.slice,
                                 .numSlices = plan.sequences[ref.sequence].numSlices,
                                 .maxKeys = plan.maxKeys,
                                 .dTable = plan.table(workspace, ref.sequence, waveHead, ref.slice)};
            steps.runSlice(args, plan, work, workspace, plan.scratch(workspace, omp_get_thread_num()));
        }
        if (args.dQ.isPresent()) {
#pragma omp for schedule(static)
            for (int64_t item = 0; item < numTilesOfWave; ++item) onTile(item, steps.finishTile);
        }
    }
    if (plan.tableLength > 0) addTables(args, plan, workspace, firstHead, numHeads);
}

}  // namespace

BackwardPlan::BackwardPlan(const AttentionBackwardArgs& args, int numThreads, const BackwardShape& shapeOfKernel)
    : shape(shapeOfKernel),
      headDim(args.q.shape[2]),
      group(args.q.shape[1] / args.k.shape[1]),
      maxKeys(longestSequence(args.cuSeqlensK)),
      tableLength(args.dBias.isPresent() && args.options.bias == AttentionBias::DistanceTable ? args.bias.shape[1] : 0),
      tiles(listTiles(args.cuSeqlensQ, 1, group, shape.tileRows)) {
    const int64_t threads = std::max(1, numThreads);
    for (size_t b = 0; b + 1 < args.cuSeqlensQ.size(); ++b) {
        const AttentionSequence sequence = attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, b);
        const int64_t blocks = (sequence.numKeys + shape.blockKeys - 1) / shape.blockKeys;
        Sequence s;
        s.rows = roundUp(sequence.numQueries * group, kLaneStep);
        s.numSlices = std::clamp<int64_t>(blocks / shape.blocksPerSlice, 1, kMaxSlices);
        s.firstFloat = headFloats;
        s.firstTable = headTables;
        headFloats += s.rows * (headDim * (shape.packedMatrices + s.numSlices) + 2);
        headTables += roundUp(s.numSlices * group * tableLength, kLaneStep);
        for (int64_t slice = 0; slice < s.numSlices; ++slice) slices.push_back({b, slice});
        sequences.push_back(s);
    }
    const auto slicesPerHead = std::max<int64_t>(1, static_cast<int64_t>(slices.size()));
    waveHeads =
        std::clamp<int64_t>((kSlicesPerThread * threads + slicesPerHead - 1) / slicesPerHead, 1, args.k.shape[1]);
    totalFloats = static_cast<size_t>(waveHeads * (headFloats + headTables) + threads * shape.scratchFloats);
}

PackedTile BackwardPlan::packedTile(float* workspace, size_t sequence, int64_t waveHead, int64_t tile) const {
    const Sequence& s = sequences[sequence];
    const int64_t matrix = s.rows * headDim;
    const int64_t firstRow = tile * shape.tileRows;
    float* queries = workspace + waveHead * headFloats + s.firstFloat;
    float* logSumExp = queries + shape.packedMatrices * matrix;
    return {.queries = queries + firstRow * headDim,
            .dOut = queries + matrix + firstRow * headDim,
            .queryRows = queries + 2 * matrix + firstRow * headDim,
            .dOutRows = queries + 3 * matrix + firstRow * headDim,
            .logSumExp = logSumExp + firstRow,
            .delta = logSumExp + s.rows + firstRow,
            .dQueries = logSumExp + 2 * s.rows + firstRow * headDim,
            .sliceStride = matrix,
            .numSlices = s.numSlices};
}

float* BackwardPlan::table(float* workspace, size_t sequence, int64_t waveHead, int64_t slice) const {
    if (tableLength == 0) return nullptr;
    return workspace + waveHeads * headFloats + waveHead * headTables + sequences[sequence].firstTable +
           slice * group * tableLength;
}

void runBackward(const Context& context, const AttentionBackwardArgs& args, const BackwardPlan& plan,
                 const BackwardSteps& steps) {
    const int64_t keyValueHeads = args.k.shape[1];
    for (int64_t first = 0; first < keyValueHeads; first += plan.waveHeads) {
        runWave(context, args, plan, steps, first, std::min(plan.waveHeads, keyValueHeads - first));
    }
}

BackwardScratch::BackwardScratch(float* start, int64_t headDim, int64_t group)
    : paddedDim(roundUp(headDim, kLaneStep)),
      keys(start),
      values(keys + kTileKeys * headDim),
      scores(values + kTileKeys * headDim),
      products(scores + kTileKeys * kTileRows),
      extra(products + kTileKeys * kTileRows),
      dKeys(extra + extraFloats(group)),
      dValues(dKeys + kTileKeys * paddedDim),
      capSlopes(dValues + kTileKeys * paddedDim) {}

int64_t BackwardScratch::floats(int64_t headDim, int64_t group, const AttentionOptions& options) {
    const int64_t tilesOfScores = options.softCap > 0 ? 3 : 2;
    return 2 * kTileKeys * (headDim + roundUp(headDim, kLaneStep)) + tilesOfScores * kTileKeys * kTileRows +
           extraFloats(group);
}

void scatterBias(const View& dBias, AttentionBias kind, const QueryTile& tile, int64_t firstKey, int64_t numKeys,
                 const float* dScores, float* dTable, float* scratch) {
    const int64_t columns = tile.columns();
    if (kind == AttentionBias::Dense) {
        for (int64_t r = 0; r < tile.numRows; ++r) {
            float* row = dBias.as<float>() + (tile.head(r) * dBias.shape[1] + tile.token(r)) * dBias.shape[2];
            for (int64_t j = 0; j < numKeys; ++j) row[firstKey + j] += dScores[j * columns + r];
        }
        return;
    }
    const DistanceStrip strip(tile, firstKey, numKeys);
    std::fill_n(scratch, strip.length(), 0.0F);
    for (int64_t j = 0; j < numKeys; ++j) {
        float* window = scratch + strip.start(j);
        for (int64_t r = 0; r < columns; ++r) window[r] += dScores[j * columns + r];
    }
    const int64_t firstEntry = tile.keyValueHead * tile.group * dBias.shape[1];
    strip.forEntries(dBias.shape[1], [&](int64_t x, int64_t entry) { dTable[entry - firstEntry] += scratch[x]; });
}

}  // namespace wb::kernels::cpu
