// SPDX-License-Identifier: Apache-2.0
// Memory-efficient attention, backward: the scores of two chunks are computed again from q, k and logSumExp.
//
//   P = exp(S - logSumExp);  W = P * keep;  dV = W^T dOut;  dP = (dOut V^T) * keep;  delta = sum_d dOut * out
//   dS = P (dP - delta);  dBias += dS;  dx = dS (1 - tanh^2);  dK = scale dx^T Q;  dQ = scale dx K
//
// Five matrix products a pair of chunks. The order of work and of sums is that of
// kernels/cpu/attention_backward_plan.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_memory_efficient_backward.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include <hwy/highway.h>

#include "kernels/cpu/attention_backward_plan.h"
#include "kernels/cpu/attention_chunks_inl.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_ops.h"

// Highway includes this file once per instruction set; what all of them share is defined once.
#ifndef WB_KERNELS_CPU_ATTENTION_BACKWARD_CHUNKS
#define WB_KERNELS_CPU_ATTENTION_BACKWARD_CHUNKS
namespace wb::kernels::cpu {

// Scratch of one thread.
struct BackwardChunks {
    float* scores;     // [rows, keys]: S, then W
    float* products;   // [rows, keys]: dOut V^T, then dx
    float* dKeys;      // [keys, D]
    float* dValues;    // [keys, D]
    float* logSumExp;  // [rows]
    float* delta;      // [rows]
    float* keep;       // [keys] of one row
    float* capSlopes;  // [keys] of one row
    float* queries;    // [rows, D]
    float* dOut;       // [rows, D]
    float* keys;       // [keys, D]
    float* values;     // [keys, D]
    float* panels;     // of the matrix layer

    BackwardChunks(float* start, int64_t headDim)
        : scores(start),
          products(scores + kChunkRows * kBackwardChunkKeys),
          dKeys(products + kChunkRows * kBackwardChunkKeys),
          dValues(dKeys + kBackwardChunkKeys * headDim),
          logSumExp(dValues + kBackwardChunkKeys * headDim),
          delta(logSumExp + kChunkRows),
          keep(delta + kChunkRows),
          capSlopes(keep + kBackwardChunkKeys),
          queries(capSlopes + kBackwardChunkKeys),
          dOut(queries + kChunkRows * headDim),
          keys(dOut + kChunkRows * headDim),
          values(keys + kBackwardChunkKeys * headDim),
          panels(values + kBackwardChunkKeys * headDim) {}

    static int64_t floats(int64_t headDim) {
        return kChunkRows * (2 * kBackwardChunkKeys + 2 * headDim + 2) + kBackwardChunkKeys * (4 * headDim + 2) +
               chunkProductFloats({{kChunkRows, kBackwardChunkKeys, headDim},
                                   {kBackwardChunkKeys, headDim, kChunkRows},
                                   {kChunkRows, headDim, kBackwardChunkKeys}});
    }
};

}  // namespace wb::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void packChunk(const AttentionBackwardArgs& args, const QueryTile& tile, const BackwardChunks& s) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    packRows(tile.numRows, headDim, s.queries,
             [&](int64_t r) { return tile.row(args.q.as<T>(), r, numHeads, headDim); });
    packRows(tile.numRows, headDim, s.dOut,
             [&](int64_t r) { return tile.row(args.dOut.as<T>(), r, numHeads, headDim); });
    for (int64_t r = 0; r < tile.numRows; ++r) {
        const float logSumExp = *tile.row(args.logSumExp.as<float>(), r, numHeads, 1);
        s.logSumExp[r] = logSumExp == kHidden ? 0.0F : logSumExp;  // all its scores are -infinity
        s.delta[r] = dotVec(tile.row(args.dOut.as<T>(), r, numHeads, headDim),
                            tile.row(args.out.as<T>(), r, numHeads, headDim), static_cast<size_t>(headDim));
    }
}

// dBias += dS of the keys that a row sees.
HWY_INLINE void addBiasGradient(const AttentionBackwardArgs& args, const ChunkRow& row, const float* dScores,
                                float* dTable, int64_t group) {
    const Shape& shape = args.dBias.shape;
    if (args.options.bias == AttentionBias::Dense) {
        float* to = args.dBias.as<float>() + (row.head * shape[1] + row.token) * shape[2] + row.keys.begin;
        return addRow(dScores, to, row.keys.end - row.keys.begin);
    }
    const TableSegments parts(row, shape[1]);
    float* table = dTable + row.head % group * shape[1];
    table[0] += sumRow(dScores, parts.numLow);
    addRow(dScores + parts.numLow, table + parts.firstEntry, parts.numMiddle);
    table[shape[1] - 1] += sumRow(dScores + parts.numLow + parts.numMiddle, parts.numHigh);
}

// A row of S becomes W, a row of dOut V^T becomes dS.
HWY_INLINE void weighRow(float* scores, float* products, size_t count, float logSumExp, float delta,
                         const float* keep) {
    const FloatTag d;
    forVectors(count, hn::Lanes(d), [&](size_t i, auto part) HWY_ATTR {
        const auto weight = expSmall(d, hn::Sub(load(d, scores + i, part), hn::Set(d, logSumExp)));
        auto product = load(d, products + i, part);
        auto kept = weight;
        if (keep != nullptr) {
            const auto factor = load(d, keep + i, part);
            kept = hn::Mul(weight, factor);
            product = hn::Mul(product, factor);
        }
        store(kept, d, scores + i, part);
        store(hn::Mul(weight, hn::Sub(product, hn::Set(d, delta))), d, products + i, part);
    });
}

void weighChunk(const AttentionBackwardArgs& args, const QueryTile& tile, const SliceWork& work, KeyRange chunk,
                int64_t stride, const BackwardChunks& s) {
    const AttentionDropout dropout(args.options, args.q.shape[0], work.maxKeys);
    const bool hasCap = args.options.softCap > 0;
    for (int64_t r = 0; r < tile.numRows; ++r) {
        const ChunkRow row(tile, r, args.options, chunk);
        const int64_t begin = row.keys.begin - chunk.begin;
        const int64_t end = row.keys.end - chunk.begin;
        const auto count = static_cast<size_t>(end - begin);
        float* scores = s.scores + r * stride;
        float* products = s.products + r * stride;
        if (count > 0) {
            applyRowRules(args.options, args.bias, row, scores + begin, hasCap ? s.capSlopes : nullptr);
            if (dropout.isOn()) dropout.factors(row.head, row.token, row.keys.begin, end - begin, s.keep);
            weighRow(scores + begin, products + begin, count, s.logSumExp[r], s.delta[r],
                     dropout.isOn() ? s.keep : nullptr);
            if (args.dBias.isPresent()) addBiasGradient(args, row, products + begin, work.dTable, tile.group);
            if (hasCap) multiplyRow(s.capSlopes, products + begin, count);
        }
        zeroOutside(scores, begin, end, chunk.end - chunk.begin);
        zeroOutside(products, begin, end, chunk.end - chunk.begin);
    }
}

// A chunk of keys and values as operands of the products; its stored rows, or their F32 copy.
struct KeyChunk {
    int64_t firstKey = 0;
    ChunkOperand keys;
    ChunkOperand values;
};

// Adds what a chunk of query rows gives to dK and dV of a chunk of keys and to its own partial dQ.
template <class T>
void addChunk(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed, const SliceWork& work,
              const KeyChunk& chunk, KeyRange seen, const BackwardChunks& s) {
    const int64_t headDim = args.q.shape[2];
    const int64_t rows = tile.numRows;
    const int64_t count = seen.end - seen.begin;
    const int64_t stride = chunkStride(count);
    const int64_t skipped = seen.begin - chunk.firstKey;
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    packChunk<T>(args, tile, s);
    const ChunkOperand queries{s.queries, headDim};
    const ChunkOperand dOut{s.dOut, headDim};
    const ChunkOperand keys = rowsFrom(chunk.keys, skipped);
    const ChunkOperand values = rowsFrom(chunk.values, skipped);
    const ChunkOperand weights{s.scores, stride};
    const ChunkOperand gradients{s.products, stride};
    const auto multiply = [&](const GemmProblem& problem) { gemm(problem, s.panels); };
    multiply(chunkProduct({rows, count, headDim}, queries, transposed(keys), s.scores, stride, Sum::Start, scale));
    multiply(chunkProduct({rows, count, headDim}, dOut, transposed(values), s.products, stride, Sum::Start));
    weighChunk(args, tile, work, seen, stride, s);
    if (args.dV.isPresent()) {
        multiply(chunkProduct({count, headDim, rows}, transposed(weights), dOut, s.dValues + skipped * headDim, headDim,
                              Sum::Continue));
    }
    if (args.dK.isPresent()) {
        multiply(chunkProduct({count, headDim, rows}, transposed(gradients), queries, s.dKeys + skipped * headDim,
                              headDim, Sum::Continue));
    }
    if (args.dQ.isPresent()) {
        multiply(
            chunkProduct({rows, headDim, count}, gradients, keys, packed.dQuery(work.slice), headDim, Sum::Continue));
    }
}

template <class T>
void runSlice(const AttentionBackwardArgs& args, const BackwardPlan& plan, const SliceWork& work, float* workspace,
              float* scratch) {
    const int64_t headDim = args.q.shape[2];
    const int64_t stride = args.k.shape[1] * headDim;
    const auto width = static_cast<size_t>(headDim);
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    const AttentionSequence& sequence = work.sequence;
    const int64_t tiles = numTiles(sequence.numQueries * plan.group, kChunkRows);
    const BackwardChunks s(scratch, headDim);
    if (work.dTable != nullptr) std::fill_n(work.dTable, plan.group * plan.tableLength, 0.0F);
    for (int64_t block = work.slice; block * kBackwardChunkKeys < sequence.numKeys; block += work.numSlices) {
        const KeyRange chunk{block * kBackwardChunkKeys, std::min((block + 1) * kBackwardChunkKeys, sequence.numKeys)};
        const int64_t count = chunk.end - chunk.begin;
        const int64_t offset = (sequence.firstKey + chunk.begin) * stride + work.keyValueHead * headDim;
        const KeyChunk operands{chunk.begin, chunkRows(args.k.as<T>() + offset, stride, count, headDim, s.keys),
                                chunkRows(args.v.as<T>() + offset, stride, count, headDim, s.values)};
        std::fill_n(s.dKeys, count * headDim, 0.0F);
        std::fill_n(s.dValues, count * headDim, 0.0F);
        for (int64_t t = 0; t < tiles; ++t) {
            const QueryTile tile(sequence, work.keyValueHead, plan.group, t, kChunkRows);
            const KeyRange seen = seenOfChunk(chunk, tile.seenBySome(args.options));
            if (seen.begin >= seen.end) continue;
            addChunk<T>(args, tile, plan.packedTile(workspace, work.sequenceIndex, work.waveHead, t), work, operands,
                        seen, s);
        }
        for (int64_t j = 0; j < count; ++j) {
            if (args.dK.isPresent()) {
                convertRow(s.dKeys + j * headDim, scale, args.dK.as<T>() + offset + j * stride, width);
            }
            if (args.dV.isPresent()) {
                convertRow(s.dValues + j * headDim, 1.0F, args.dV.as<T>() + offset + j * stride, width);
            }
        }
    }
}

// dQ of a chunk of rows: its partial sums in the order of slices.
template <class T>
void finishChunk(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    const int64_t headDim = args.q.shape[2];
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    float* sum = packed.dQuery(0);
    for (int64_t slice = 1; slice < packed.numSlices; ++slice) {
        addRow(packed.dQuery(slice), sum, tile.numRows * headDim);
    }
    for (int64_t r = 0; r < tile.numRows; ++r) {
        convertRow(sum + r * headDim, scale, tile.row(args.dQ.as<T>(), r, args.q.shape[1], headDim),
                   static_cast<size_t>(headDim));
    }
}

}  // namespace

void clearChunkOf(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    for (int64_t slice = 0; slice < packed.numSlices; ++slice) {
        std::fill_n(packed.dQuery(slice), tile.numRows * args.q.shape[2], 0.0F);
    }
}
void runChunksOf(const AttentionBackwardArgs& args, const BackwardPlan& plan, const SliceWork& work, float* workspace,
                 float* scratch) {
    if (args.q.dtype == DType::BF16) return runSlice<BFloat16>(args, plan, work, workspace, scratch);
    runSlice<float>(args, plan, work, workspace, scratch);
}
void finishChunkOf(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    if (args.q.dtype == DType::BF16) return finishChunk<BFloat16>(args, tile, packed);
    finishChunk<float>(args, tile, packed);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(clearChunkOf);
HWY_EXPORT(runChunksOf);
HWY_EXPORT(finishChunkOf);

BackwardPlan planOf(const AttentionBackwardArgs& args, int numThreads) {
    return {args,
            numThreads,
            {.tileRows = kChunkRows,
             .blockKeys = kBackwardChunkKeys,
             .blocksPerSlice = 1,
             .packedMatrices = 0,
             .scratchFloats = BackwardChunks::floats(args.q.shape[2])}};
}

}  // namespace

size_t attentionBackwardMemoryEfficientWorkspace(const Context& context, const AttentionBackwardArgs& args) {
    return planOf(args, context.numThreads).totalFloats * sizeof(float);
}

void attentionBackwardMemoryEfficient(const Context& context, const AttentionBackwardArgs& args) {
    runBackward(
        context, args, planOf(args, context.numThreads),
        {HWY_DYNAMIC_DISPATCH(clearChunkOf), HWY_DYNAMIC_DISPATCH(runChunksOf), HWY_DYNAMIC_DISPATCH(finishChunkOf)});
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
