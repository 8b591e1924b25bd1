// SPDX-License-Identifier: Apache-2.0
// Tiled attention, forward (Dao 2023, arXiv:2307.08691). For each tile of 64 query rows, over the blocks of 64 keys
// that some of its rows sees:
//
//   S = rules(scale q k^T);  m' = max(m, max_j S);  P = exp(S - m');  l' = l exp(m - m') + sum_j P
//   O' = O exp(m - m') + dropout(P) v;   at the end  out = O / l,  logSumExp = m + log l
//
// Where the processor multiplies BF16, BF16 tiles stay BF16: P is rounded to BF16 for the second product (l sums it
// unrounded), all sums are F32. Elsewhere BF16 operands are widened.
//
// A thread keeps one tile of each operand; nothing else is stored. A tile is computed by one thread in the order of the
// keys: the same bits for any number of threads, and for a sequence alone or packed with others.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_flash.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include <hwy/highway.h>

#include "kernels/cpu/attention_pairs_inl.h"
#include "kernels/cpu/attention_tile_inl.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/cpu_ops.h"

#include <omp.h>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Scratch of one thread, in floats.
struct ForwardScratch {
    float* queries;  // [D, rows], scaled
    float* operand;  // [keys, D]: keys, then values
    float* scores;   // [keys, rows]
    float* extra;    // [keys, rows]: bias, then dropout
    float* sums;     // [D, rows]
    float* highest;  // [rows]
    float* total;    // [rows]
    float* shrink;   // [rows]

    ForwardScratch(float* start, int64_t headDim, int64_t group)
        : queries(start),
          operand(queries + kTileRows * headDim),
          scores(operand + kTileKeys * headDim),
          extra(scores + kTileKeys * kTileRows),
          sums(extra + extraFloats(group)),
          highest(sums + kTileRows * headDim),
          total(highest + kTileRows),
          shrink(total + kTileRows) {}

    // Before the first keys.
    void clear(size_t headDim, size_t columns) const {
        std::fill(sums, sums + headDim * columns, 0.0F);
        std::fill(highest, highest + columns, kMinusInfinity);
        std::fill(total, total + columns, 0.0F);
    }
};

template <class T>
void storeTile(const AttentionForwardArgs& args, const QueryTile& tile, const ForwardScratch& s) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    const int64_t columns = tile.columns();
    for (int64_t r = 0; r < tile.numRows; ++r) {
        const float inverse = s.total[r] == 0 ? 0.0F : 1.0F / s.total[r];
        T* out = tile.row(args.out.as<T>(), r, numHeads, headDim);
        for (int64_t d = 0; d < headDim; ++d) out[d] = static_cast<T>(s.sums[d * columns + r] * inverse);
        if (!args.logSumExp.isPresent()) continue;
        *tile.row(args.logSumExp.as<float>(), r, numHeads, 1) =
            s.total[r] == 0 ? kMinusInfinity : s.highest[r] + std::log(s.total[r]);
    }
}

template <class T>
void forwardTile(const AttentionForwardArgs& args, const QueryTile& tile, const ForwardScratch& s) {
    const int64_t headDim = args.q.shape[2];
    const int64_t keyStride = args.k.shape[1] * headDim;
    const auto width = static_cast<size_t>(headDim);
    const auto columns = static_cast<size_t>(tile.columns());
    const AttentionDropout dropout(args.options, args.q.shape[0], longestSequence(args.cuSeqlensK));
    const ScoreRules rules{args.options, args.bias, tile.seenBySome(args.options), tile.seenByAll(args.options)};
    LaneFacts facts;
    facts.fill(tile, args.options, args.bias);
    gatherTransposed(tile, args.q.as<T>(), args.q.shape[1], headDim,
                     static_cast<float>(attentionScale(args.options, headDim)), s.queries);
    s.clear(width, columns);

    const int64_t headOffset = tile.keyValueHead * headDim + tile.sequence.firstKey * keyStride;
    for (int64_t first = rules.seenBySome.begin / kTileKeys * kTileKeys; first < rules.seenBySome.end;
         first += kTileKeys) {
        const int64_t numKeys = std::min(kTileKeys, rules.seenBySome.end - first);
        const auto rows = static_cast<size_t>(numKeys);
        gatherRows(args.k.as<T>() + headOffset + first * keyStride, keyStride, rows, width, s.operand, width);
        multiply<Start::Zero, Layout::DepthContiguous>(rows, columns, width, {s.operand, width}, s.queries, columns,
                                                       s.scores, columns);
        applyRules(rules, tile, facts, first, numKeys, s.scores, nullptr, s.extra);
        softmaxStep(s.scores, rows, columns, {s.highest, s.total, s.shrink});
        if (dropout.isOn()) {
            gatherDropout(dropout, tile, first, numKeys, s.extra);
            multiplyInPlace(s.scores, s.extra, rows * columns);
        }
        gatherRows(args.v.as<T>() + headOffset + first * keyStride, keyStride, rows, width, s.operand, width);
        multiply<Start::Scaled, Layout::RowContiguous>(width, columns, rows, {s.operand, width}, s.scores, columns,
                                                       s.sums, columns, s.shrink);
    }
    storeTile<T>(args, tile, s);
}

#if HWY_TARGET <= HWY_AVX3
// forwardTile() with BF16 operands; the head dim is even.
void forwardTilePairs(const AttentionForwardArgs& args, const QueryTile& tile, const ForwardScratch& s) {
    using Pair = PairProduct;
    const int64_t headDim = args.q.shape[2];
    const int64_t keyStride = args.k.shape[1] * headDim;
    const auto width = static_cast<size_t>(headDim);
    const auto columns = static_cast<size_t>(tile.columns());
    const AttentionDropout dropout(args.options, args.q.shape[0], longestSequence(args.cuSeqlensK));
    const ScoreRules rules{args.options, args.bias, tile.seenBySome(args.options), tile.seenByAll(args.options)};
    const auto scale = static_cast<float>(attentionScale(args.options, headDim));
    const float laterScale = rules.changesScores() ? 1.0F : std::abs(scale);
    LaneFacts facts;
    facts.fill(tile, args.options, args.bias);
    gatherPairsTransposed(tile, args.q.as<BFloat16>(), args.q.shape[1], headDim, scale < 0, s.queries);
    s.clear(width, columns);

    const int64_t headOffset = tile.keyValueHead * headDim + tile.sequence.firstKey * keyStride;
    for (int64_t first = rules.seenBySome.begin / kTileKeys * kTileKeys; first < rules.seenBySome.end;
         first += kTileKeys) {
        const int64_t numKeys = std::min(kTileKeys, rules.seenBySome.end - first);
        const auto rows = static_cast<size_t>(numKeys);
        const int64_t offset = headOffset + first * keyStride;
        copyPairRows(args.k.as<BFloat16>() + offset, keyStride, rows, width, s.operand);
        multiply<Start::Zero, Layout::DepthContiguous, Pair>(rows, columns, width / 2, {s.operand, width / 2},
                                                             s.queries, columns, s.scores, columns);
        if (rules.changesScores()) scaleInPlace(s.scores, std::abs(scale), rows * columns);
        applyRules(rules, tile, facts, first, numKeys, s.scores, nullptr, s.extra);
        if (dropout.isOn()) gatherDropout(dropout, tile, first, numKeys, s.extra);
        softmaxStepPairs(s.scores, rows, columns, laterScale, dropout.isOn() ? s.extra : nullptr,
                         {s.highest, s.total, s.shrink}, s.scores);
        pairBlock(args.v.as<BFloat16>() + offset, keyStride, rows, width, s.operand);
        multiply<Start::Scaled, Layout::RowContiguous, Pair>(width, columns, (rows + 1) / 2, {s.operand, width},
                                                             s.scores, columns, s.sums, columns, s.shrink);
    }
    storeTile<BFloat16>(args, tile, s);
}
#endif

}  // namespace

void forwardTileF32(const AttentionForwardArgs& args, const QueryTile& tile, float* scratch) {
    forwardTile<float>(args, tile, ForwardScratch(scratch, args.q.shape[2], tile.group));
}
void forwardTileBf16(const AttentionForwardArgs& args, const QueryTile& tile, float* scratch) {
    const ForwardScratch s(scratch, args.q.shape[2], tile.group);
#if HWY_TARGET <= HWY_AVX3
    if (multipliesPairs(args.q.shape[2])) return forwardTilePairs(args, tile, s);
#endif
    forwardTile<BFloat16>(args, tile, s);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(forwardTileF32);
HWY_EXPORT(forwardTileBf16);

size_t scratchFloats(const AttentionForwardArgs& args) {
    const int64_t group = args.q.shape[1] / args.k.shape[1];
    return static_cast<size_t>(3 * kTileRows * (args.q.shape[2] + 1) + kTileRows * kTileKeys + extraFloats(group));
}

}  // namespace

size_t attentionForwardFlashWorkspace(const Context& context, const AttentionForwardArgs& args) {
    return scratchFloats(args) * sizeof(float) * static_cast<size_t>(std::max(1, context.numThreads));
}

void attentionForwardFlash(const Context& context, const AttentionForwardArgs& args) {
    const bool isBf16 = args.q.dtype == DType::BF16;
    const std::vector<TileRef> tiles = listTiles(args.cuSeqlensQ, args.k.shape[1], args.q.shape[1] / args.k.shape[1]);
    const auto numItems = static_cast<int64_t>(tiles.size());
    const size_t scratch = scratchFloats(args);
    // Last tiles first: with a causal mask they are the longest.
    const int threads = attentionThreads(context, numItems, attentionFlops(args));
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t item = numItems - 1; item >= 0; --item) {
        const TileRef& ref = tiles[static_cast<size_t>(item)];
        const QueryTile tile(attentionSequence(args.cuSeqlensQ, args.cuSeqlensK, ref.sequence), ref.keyValueHead,
                             args.q.shape[1] / args.k.shape[1], ref.tile);
        float* mine = args.workspace.as<float>() + scratch * static_cast<size_t>(omp_get_thread_num());
        if (isBf16) {
            HWY_DYNAMIC_DISPATCH(forwardTileBf16)(args, tile, mine);
        } else {
            HWY_DYNAMIC_DISPATCH(forwardTileF32)(args, tile, mine);
        }
    }
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
