// SPDX-License-Identifier: Apache-2.0
// Tiled attention, backward (Dao 2023, arXiv:2307.08691): scores are computed again from q, k and logSumExp.
//
//   P = exp(S - logSumExp);  W = P * keep;  dV = W^T dOut;  dP = (dOut v^T) * keep;  delta = sum_d dOut * out
//   dS = P (dP - delta);  dBias += dS;  dx = dS (1 - tanh^2);  dK = scale dx^T q;  dQ = scale dx k
//
// The key blocks of a (sequence, key/value head) are dealt round-robin to at most four slices. A slice is one thread's
// work: it owns dK and dV of its blocks and a partial dQ. Afterwards the partial dQ (and partial distance tables) are
// added in the order of slices. Slices depend on the length of the sequence alone, so the bits depend neither on the
// number of threads nor on what else is in the batch. Key/value heads are taken in waves that just keep the threads
// busy, because memory is per head in flight.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_flash_backward.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include <hwy/highway.h>

#include "kernels/cpu/attention_backward_plan.h"
#include "kernels/cpu/attention_tile_inl.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_ops.h"

#include <omp.h>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Packs a tile of queries and output gradients and what its rows need; zeroes its partial dQ.
template <class T>
void packTile(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    gatherTransposed(tile, args.q.as<T>(), numHeads, headDim, static_cast<float>(attentionScale(args.options, headDim)),
                     packed.queries);
    gatherTransposed(tile, args.dOut.as<T>(), numHeads, headDim, 1.0F, packed.dOut);
    for (int64_t r = 0; r < tile.columns(); ++r) {
        if (r >= tile.numRows) {
            packed.logSumExp[r] = std::numeric_limits<float>::infinity();  // weight exp(S - inf) = 0
            packed.delta[r] = 0;
            continue;
        }
        const float logSumExp = *tile.row(args.logSumExp.as<float>(), r, numHeads, 1);
        packed.logSumExp[r] = logSumExp == kMinusInfinity ? 0.0F : logSumExp;  // all its scores are -infinity
        packed.delta[r] = dotVec(tile.row(args.dOut.as<T>(), r, numHeads, headDim),
                                 tile.row(args.out.as<T>(), r, numHeads, headDim), static_cast<size_t>(headDim));
    }
    const auto floats = static_cast<size_t>(headDim * tile.columns());
    for (int64_t slice = 0; slice < packed.numSlices; ++slice) std::fill_n(packed.dQuery(slice), floats, 0.0F);
}

// scores: S becomes W = P * keep; products: dOut v^T becomes dS. keep may be null.
HWY_INLINE void weighTile(float* scores, float* products, const float* keep, const PackedTile& packed, size_t rows,
                          size_t columns) {
    const FloatTag d;
    forTile(rows, columns, [&](size_t row, size_t column) HWY_ATTR {
        const size_t at = row * columns + column;
        const auto weight = expSmall(d, hn::Sub(hn::LoadU(d, scores + at), hn::LoadU(d, packed.logSumExp + column)));
        const auto delta = hn::LoadU(d, packed.delta + column);
        const auto product = hn::LoadU(d, products + at);
        if (keep == nullptr) {
            hn::StoreU(weight, d, scores + at);
            hn::StoreU(hn::Mul(weight, hn::Sub(product, delta)), d, products + at);
        } else {
            const auto kept = hn::LoadU(d, keep + at);
            hn::StoreU(hn::Mul(weight, kept), d, scores + at);
            hn::StoreU(hn::Mul(weight, hn::MulSub(product, kept, delta)), d, products + at);
        }
    });
}

template <class T>
void gatherTileRows(const QueryTile& tile, const T* data, int64_t numHeads, int64_t headDim, size_t stride,
                    float* out) {
    for (int64_t r = 0; r < tile.numRows; ++r) {
        gatherRows(tile.row(data, r, numHeads, headDim), 0, 1, static_cast<size_t>(headDim),
                   out + static_cast<size_t>(r) * stride, stride);
    }
}

// Adds what one tile of queries gives to dK, dV of a key block and to its own partial dQ.
template <class T>
void addTile(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed, const SliceWork& work,
             int64_t firstKey, int64_t numKeys, const BackwardScratch& s) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    const auto width = static_cast<size_t>(headDim);
    const auto padded = static_cast<size_t>(s.paddedDim);
    const auto rows = static_cast<size_t>(numKeys);
    const auto columns = static_cast<size_t>(tile.columns());
    const auto depth = static_cast<size_t>(tile.numRows);
    const ScoreRules rules{args.options, args.bias, tile.seenBySome(args.options), tile.seenByAll(args.options)};
    const bool hasCap = args.options.softCap > 0;
    const AttentionDropout dropout(args.options, args.q.shape[0], work.maxKeys);

    multiply<Start::Zero, Layout::DepthContiguous>(rows, columns, width, {s.keys, width}, packed.queries, columns,
                                                   s.scores, columns);
    LaneFacts facts;
    if (args.options.bias == AttentionBias::Alibi || rules.isMasked(firstKey, numKeys)) {
        facts.fill(tile, args.options, args.bias);
    }
    applyRules(rules, tile, facts, firstKey, numKeys, s.scores, hasCap ? s.capSlopes : nullptr, s.extra);
    multiply<Start::Zero, Layout::DepthContiguous>(rows, columns, width, {s.values, width}, packed.dOut, columns,
                                                   s.products, columns);
    if (dropout.isOn()) gatherDropout(dropout, tile, firstKey, numKeys, s.extra);
    weighTile(s.scores, s.products, dropout.isOn() ? s.extra : nullptr, packed, rows, columns);
    if (args.dBias.isPresent()) {
        scatterBias(args.dBias, args.options.bias, tile, firstKey, numKeys, s.products, work.dTable);
    }
    if (hasCap) multiplyInPlace(s.products, s.capSlopes, rows * columns);

    if (args.dV.isPresent()) {
        gatherTileRows(tile, args.dOut.as<T>(), numHeads, headDim, padded, s.rows);
        multiply<Start::Keep, Layout::DepthContiguous>(rows, padded, depth, {s.scores, columns}, s.rows, padded,
                                                       s.dValues, padded);
    }
    if (args.dK.isPresent()) {
        gatherTileRows(tile, args.q.as<T>(), numHeads, headDim, padded, s.rows);
        multiply<Start::Keep, Layout::DepthContiguous>(rows, padded, depth, {s.products, columns}, s.rows, padded,
                                                       s.dKeys, padded);
    }
    if (args.dQ.isPresent()) {
        multiply<Start::Keep, Layout::RowContiguous>(width, columns, rows, {s.keys, width}, s.products, columns,
                                                     packed.dQuery(work.slice), columns);
    }
}

// All key blocks of a slice.
template <class T>
void runSlice(const AttentionBackwardArgs& args, const BackwardPlan& plan, const SliceWork& work, float* workspace,
              const BackwardScratch& s) {
    const int64_t headDim = args.q.shape[2];
    const int64_t keyValueHeads = args.k.shape[1];
    const int64_t stride = keyValueHeads * headDim;
    const auto width = static_cast<size_t>(headDim);
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    const AttentionSequence& sequence = work.sequence;
    const int64_t group = args.q.shape[1] / keyValueHeads;
    const int64_t tiles = numTiles(sequence.numQueries * group);
    if (work.dTable != nullptr) std::fill_n(work.dTable, group * plan.tableLength, 0.0F);
    for (int64_t block = work.slice; block * kTileKeys < sequence.numKeys; block += work.numSlices) {
        const int64_t firstKey = block * kTileKeys;
        const int64_t numKeys = std::min(kTileKeys, sequence.numKeys - firstKey);
        const auto rows = static_cast<size_t>(numKeys);
        const int64_t offset = (sequence.firstKey + firstKey) * stride + work.keyValueHead * headDim;
        gatherRows(args.k.as<T>() + offset, stride, rows, width, s.keys, width);
        gatherRows(args.v.as<T>() + offset, stride, rows, width, s.values, width);
        std::fill_n(s.dKeys, numKeys * s.paddedDim, 0.0F);
        std::fill_n(s.dValues, numKeys * s.paddedDim, 0.0F);
        for (int64_t t = 0; t < tiles; ++t) {
            const QueryTile tile(sequence, work.keyValueHead, group, t);
            const KeyRange seen = tile.seenBySome(args.options);
            if (seen.begin >= firstKey + numKeys || seen.end <= firstKey) continue;
            addTile<T>(args, tile, plan.packedTile(workspace, work.sequenceIndex, work.waveHead, t), work, firstKey,
                       numKeys, s);
        }
        if (args.dK.isPresent()) storeRows(s.dKeys, s.paddedDim, scale, args.dK.as<T>() + offset, stride, rows, width);
        if (args.dV.isPresent()) storeRows(s.dValues, s.paddedDim, 1.0F, args.dV.as<T>() + offset, stride, rows, width);
    }
}

// dQ of a tile: its partial sums in the order of slices.
template <class T>
void finishTile(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    const FloatTag d;
    const int64_t headDim = args.q.shape[2];
    const int64_t columns = tile.columns();
    const auto floats = static_cast<size_t>(headDim * columns);
    float* sum = packed.dQuery(0);
    for (int64_t slice = 1; slice < packed.numSlices; ++slice) {
        const float* part = packed.dQuery(slice);
        for (size_t i = 0; i < floats; i += hn::Lanes(d)) {
            hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, part + i)), d, sum + i);
        }
    }
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    for (int64_t r = 0; r < tile.numRows; ++r) {
        T* out = tile.row(args.dQ.as<T>(), r, args.q.shape[1], headDim);
        for (int64_t i = 0; i < headDim; ++i) out[i] = static_cast<T>(scale * sum[i * columns + r]);
    }
}

}  // namespace

void packTileOf(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    if (args.q.dtype == DType::BF16) return packTile<BFloat16>(args, tile, packed);
    packTile<float>(args, tile, packed);
}
void runSliceOf(const AttentionBackwardArgs& args, const BackwardPlan& plan, const SliceWork& work, float* workspace,
                float* scratch) {
    const BackwardScratch s(scratch, args.q.shape[2]);
    if (args.q.dtype == DType::BF16) return runSlice<BFloat16>(args, plan, work, workspace, s);
    runSlice<float>(args, plan, work, workspace, s);
}
void finishTileOf(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    if (args.q.dtype == DType::BF16) return finishTile<BFloat16>(args, tile, packed);
    finishTile<float>(args, tile, packed);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(packTileOf);
HWY_EXPORT(runSliceOf);
HWY_EXPORT(finishTileOf);

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
void runWave(const Context& context, const AttentionBackwardArgs& args, const BackwardPlan& plan, int64_t firstHead,
             int64_t numHeads) {
    float* workspace = args.workspace.as<float>();
    const auto numTilesOfWave = static_cast<int64_t>(plan.tiles.size()) * numHeads;
    const auto numSlicesOfWave = static_cast<int64_t>(plan.slices.size()) * numHeads;
    const auto sequenceOf = [&](size_t b) { return attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, b); };
    const int threads = attentionThreads(context, numSlicesOfWave, attentionFlops(args));
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t item = 0; item < numTilesOfWave; ++item) {
            const TileRef& ref = plan.tiles[static_cast<size_t>(item / numHeads)];
            const int64_t waveHead = item % numHeads;
            const QueryTile tile(sequenceOf(ref.sequence), firstHead + waveHead, plan.group, ref.tile);
            const PackedTile packed = plan.packedTile(workspace, ref.sequence, waveHead, ref.tile);
            HWY_DYNAMIC_DISPATCH(packTileOf)(args, tile, packed);
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
            HWY_DYNAMIC_DISPATCH(runSliceOf)
            (args, plan, work, workspace, plan.scratch(workspace, omp_get_thread_num()));
        }
        if (args.dQ.isPresent()) {
#pragma omp for schedule(static)
            for (int64_t item = 0; item < numTilesOfWave; ++item) {
                const TileRef& ref = plan.tiles[static_cast<size_t>(item / numHeads)];
                const int64_t waveHead = item % numHeads;
                const QueryTile tile(sequenceOf(ref.sequence), firstHead + waveHead, plan.group, ref.tile);
                const PackedTile packed = plan.packedTile(workspace, ref.sequence, waveHead, ref.tile);
                HWY_DYNAMIC_DISPATCH(finishTileOf)(args, tile, packed);
            }
        }
    }
    if (plan.tableLength > 0) addTables(args, plan, workspace, firstHead, numHeads);
}

}  // namespace

size_t attentionBackwardFlashWorkspace(const AttentionBackwardArgs& args, int numThreads) {
    return BackwardPlan(args, numThreads).totalFloats * sizeof(float);
}

void attentionBackwardFlash(const Context& context, const AttentionBackwardArgs& args) {
    const BackwardPlan plan(args, context.numThreads);
    const int64_t keyValueHeads = args.k.shape[1];
    for (int64_t first = 0; first < keyValueHeads; first += plan.waveHeads) {
        runWave(context, args, plan, first, std::min(plan.waveHeads, keyValueHeads - first));
    }
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
