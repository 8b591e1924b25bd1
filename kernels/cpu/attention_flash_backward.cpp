// SPDX-License-Identifier: Apache-2.0
// Tiled attention, backward (Dao 2023, arXiv:2307.08691): scores are computed again from q, k and logSumExp.
//
//   P = exp(S - logSumExp);  W = P * keep;  dV = W^T dOut;  dP = (dOut v^T) * keep;  delta = sum_d dOut * out
//   dS = P (dP - delta);  dBias += dS;  dx = dS (1 - tanh^2);  dK = scale dx^T q;  dQ = scale dx k
//
// The order of work and of sums is that of kernels/cpu/attention_backward_plan.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_flash_backward.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include <hwy/highway.h>

#include "kernels/cpu/attention_backward_plan.h"
#include "kernels/cpu/attention_pairs_inl.h"
#include "kernels/cpu/attention_tile_inl.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/cpu_ops.h"

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Packs what the rows of a tile need besides their operands; zeroes its partial dQ.
template <class T>
void packRowFacts(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
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

// Rows of a tile side by side as float: [rows, D].
template <class T>
void gatherTileRows(const QueryTile& tile, const T* data, int64_t numHeads, int64_t headDim, float* out) {
    const auto width = static_cast<size_t>(headDim);
    for (int64_t r = 0; r < tile.numRows; ++r, out += width) {
        gatherRows(tile.row(data, r, numHeads, headDim), 0, 1, width, out, width);
    }
}

// Packs a tile of queries and output gradients, in columns for the scores and in rows for dK and dV.
template <class T>
void packTile(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    gatherTransposed(tile, args.q.as<T>(), numHeads, headDim, static_cast<float>(attentionScale(args.options, headDim)),
                     packed.queries);
    gatherTransposed(tile, args.dOut.as<T>(), numHeads, headDim, 1.0F, packed.dOut);
    gatherTileRows(tile, args.q.as<T>(), numHeads, headDim, packed.queryRows);
    gatherTileRows(tile, args.dOut.as<T>(), numHeads, headDim, packed.dOutRows);
    packRowFacts<T>(args, tile, packed);
}

// scores: S / scale becomes W = P * keep; products: dOut v^T becomes dS. keep may be null.
HWY_INLINE void weighTile(float* scores, float* products, float scale, const float* keep, const PackedTile& packed,
                          size_t rows, size_t columns) {
    const FloatTag d;
    const auto by = hn::Set(d, scale);
    forTile(rows, columns, [&](size_t row, size_t column) HWY_ATTR {
        const size_t at = row * columns + column;
        const auto weight =
            expSmall(d, hn::MulSub(hn::LoadU(d, scores + at), by, hn::LoadU(d, packed.logSumExp + column)));
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

// scores: q k scale^-1 becomes W; products: dOut v^T becomes dx, with dBias on the way.
void weighScores(const AttentionBackwardArgs& args, const ScoreRules& rules, const QueryTile& tile,
                 const PackedTile& packed, const SliceWork& work, int64_t firstKey, int64_t numKeys, float scale,
                 const BackwardScratch& s) {
    const auto rows = static_cast<size_t>(numKeys);
    const auto columns = static_cast<size_t>(tile.columns());
    const bool hasCap = args.options.softCap > 0;
    const AttentionDropout dropout(args.options, args.q.shape[0], work.maxKeys);
    LaneFacts facts;
    if (args.options.bias == AttentionBias::Alibi || rules.isMasked(firstKey, numKeys)) {
        facts.fill(tile, args.options, args.bias);
    }
    applyRules(rules, tile, facts, firstKey, numKeys, s.scores, hasCap ? s.capSlopes : nullptr, s.extra);
    if (dropout.isOn()) gatherDropout(dropout, tile, firstKey, numKeys, s.extra);
    weighTile(s.scores, s.products, scale, dropout.isOn() ? s.extra : nullptr, packed, rows, columns);
    if (args.dBias.isPresent()) {
        scatterBias(args.dBias, args.options.bias, tile, firstKey, numKeys, s.products, work.dTable, s.extra);
    }
    if (hasCap) multiplyInPlace(s.products, s.capSlopes, rows * columns);
}

// Adds what one tile of queries gives to dK, dV of a key block and to its own partial dQ.
template <class T>
void addTile(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed, const SliceWork& work,
             int64_t firstKey, int64_t numKeys, const BackwardScratch& s) {
    const int64_t headDim = args.q.shape[2];
    const auto width = static_cast<size_t>(headDim);
    const auto padded = static_cast<size_t>(s.paddedDim);
    const auto rows = static_cast<size_t>(numKeys);
    const auto columns = static_cast<size_t>(tile.columns());
    const auto depth = static_cast<size_t>(tile.numRows);
    const ScoreRules rules{args.options, args.bias, tile.seenBySome(args.options), tile.seenByAll(args.options)};

    multiply<Start::Zero, Layout::DepthContiguous>(rows, columns, width, {s.keys, width}, packed.queries, columns,
                                                   s.scores, columns);
    multiply<Start::Zero, Layout::DepthContiguous>(rows, columns, width, {s.values, width}, packed.dOut, columns,
                                                   s.products, columns);
    weighScores(args, rules, tile, packed, work, firstKey, numKeys, 1.0F, s);

    if (args.dV.isPresent()) {
        multiply<Start::Keep, Layout::DepthContiguous>(rows, padded, depth, {s.scores, columns}, packed.dOutRows, width,
                                                       s.dValues, padded);
    }
    if (args.dK.isPresent()) {
        multiply<Start::Keep, Layout::DepthContiguous>(rows, padded, depth, {s.products, columns}, packed.queryRows,
                                                       width, s.dKeys, padded);
    }
    if (args.dQ.isPresent()) {
        multiply<Start::Keep, Layout::RowContiguous>(width, columns, rows, {s.keys, width}, s.products, columns,
                                                     packed.dQuery(work.slice), columns);
    }
}

// The kernel of one storage type.
template <class T>
struct WideTiles {
    using Storage = T;
    static void gatherBlock(const AttentionBackwardArgs& args, int64_t offset, size_t rows, const BackwardScratch& s) {
        const int64_t stride = args.k.shape[1] * args.k.shape[2];
        const auto width = static_cast<size_t>(args.k.shape[2]);
        gatherRows(args.k.as<T>() + offset, stride, rows, width, s.keys, width);
        gatherRows(args.v.as<T>() + offset, stride, rows, width, s.values, width);
    }
    static void add(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed,
                    const SliceWork& work, int64_t firstKey, int64_t numKeys, const BackwardScratch& s) {
        addTile<T>(args, tile, packed, work, firstKey, numKeys, s);
    }
};

#if HWY_TARGET <= HWY_AVX3
// Where pairs of BF16 lie in the room of the F32 operands; the head dim is even.
struct PairViews {
    float* alongDim;   // pairs along D
    float* alongRows;  // pairs along the rows or keys

    PairViews(float* matrix, int64_t rows, int64_t headDim)
        : alongDim(matrix), alongRows(matrix + rows * headDim / 2) {}
};

void packTilePairs(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed) {
    const int64_t numHeads = args.q.shape[1];
    const int64_t headDim = args.q.shape[2];
    const bool isNegated = attentionScale(args.options, headDim) < 0;
    const PairViews queries(packed.queries, tile.columns(), headDim);
    const PairViews dOut(packed.dOut, tile.columns(), headDim);
    gatherPairsTransposed(tile, args.q.as<BFloat16>(), numHeads, headDim, isNegated, queries.alongDim);
    gatherPairsTransposed(tile, args.dOut.as<BFloat16>(), numHeads, headDim, false, dOut.alongDim);
    gatherRowPairs(tile, args.q.as<BFloat16>(), numHeads, headDim, queries.alongRows);
    gatherRowPairs(tile, args.dOut.as<BFloat16>(), numHeads, headDim, dOut.alongRows);
    packRowFacts<BFloat16>(args, tile, packed);
}

// addTile() with BF16 operands: W and dS are rounded to BF16 for their products.
struct PairTiles {
    using Storage = BFloat16;
    static void gatherBlock(const AttentionBackwardArgs& args, int64_t offset, size_t rows, const BackwardScratch& s) {
        const int64_t headDim = args.k.shape[2];
        const int64_t stride = args.k.shape[1] * headDim;
        const auto width = static_cast<size_t>(headDim);
        const PairViews keys(s.keys, kTileKeys, headDim);
        copyPairRows(args.k.as<BFloat16>() + offset, stride, rows, width, keys.alongDim);
        pairBlock(args.k.as<BFloat16>() + offset, stride, rows, width, keys.alongRows);
        copyPairRows(args.v.as<BFloat16>() + offset, stride, rows, width, s.values);
    }
    static void add(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed,
                    const SliceWork& work, int64_t firstKey, int64_t numKeys, const BackwardScratch& s);
};

void PairTiles::add(const AttentionBackwardArgs& args, const QueryTile& tile, const PackedTile& packed,
                    const SliceWork& work, int64_t firstKey, int64_t numKeys, const BackwardScratch& s) {
    using Pair = PairProduct;
    const int64_t headDim = args.q.shape[2];
    const auto width = static_cast<size_t>(headDim);
    const auto padded = static_cast<size_t>(s.paddedDim);
    const auto rows = static_cast<size_t>(numKeys);
    const auto columns = static_cast<size_t>(tile.columns());
    const ScoreRules rules{args.options, args.bias, tile.seenBySome(args.options), tile.seenByAll(args.options)};
    const auto scale = static_cast<float>(std::abs(attentionScale(args.options, headDim)));
    const PairViews keys(s.keys, kTileKeys, headDim);
    const PairViews queries(packed.queries, tile.columns(), headDim);
    const PairViews dOut(packed.dOut, tile.columns(), headDim);

    multiply<Start::Zero, Layout::DepthContiguous, Pair>(rows, columns, width / 2, {keys.alongDim, width / 2},
                                                         queries.alongDim, columns, s.scores, columns);
    multiply<Start::Zero, Layout::DepthContiguous, Pair>(rows, columns, width / 2, {s.values, width / 2}, dOut.alongDim,
                                                         columns, s.products, columns);
    if (rules.changesScores()) scaleInPlace(s.scores, scale, rows * columns);
    weighScores(args, rules, tile, packed, work, firstKey, numKeys, rules.changesScores() ? 1.0F : scale, s);

    float* weights = s.extra;
    float* gradients = s.extra + kTileKeys * kTileRows / 2;
    narrowTile(s.scores, rows, columns, weights);
    narrowTile(s.products, rows, columns, gradients);
    if (args.dV.isPresent()) {
        multiply<Start::Keep, Layout::DepthContiguous, Pair>(rows, padded, columns / 2, {weights, columns / 2},
                                                             dOut.alongRows, width, s.dValues, padded);
    }
    if (args.dK.isPresent()) {
        multiply<Start::Keep, Layout::DepthContiguous, Pair>(rows, padded, columns / 2, {gradients, columns / 2},
                                                             queries.alongRows, width, s.dKeys, padded);
    }
    if (args.dQ.isPresent()) {
        pairTile(s.products, rows, columns, s.scores);
        multiply<Start::Keep, Layout::RowContiguous, Pair>(width, columns, (rows + 1) / 2, {keys.alongRows, width},
                                                           s.scores, columns, packed.dQuery(work.slice), columns);
    }
}
#endif

// All key blocks of a slice.
template <class Tiles>
void runSlice(const AttentionBackwardArgs& args, const BackwardPlan& plan, const SliceWork& work, float* workspace,
              const BackwardScratch& s) {
    using T = typename Tiles::Storage;
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
        Tiles::gatherBlock(args, offset, rows, s);
        std::fill_n(s.dKeys, numKeys * s.paddedDim, 0.0F);
        std::fill_n(s.dValues, numKeys * s.paddedDim, 0.0F);
        for (int64_t t = 0; t < tiles; ++t) {
            const QueryTile tile(sequence, work.keyValueHead, group, t);
            const KeyRange seen = tile.seenBySome(args.options);
            if (seen.begin >= firstKey + numKeys || seen.end <= firstKey) continue;
            const int64_t seenKeys = std::min(numKeys, seen.end - firstKey);
            Tiles::add(args, tile, plan.packedTile(workspace, work.sequenceIndex, work.waveHead, t), work, firstKey,
                       seenKeys, s);
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
    if (args.q.dtype == DType::F32) return packTile<float>(args, tile, packed);
#if HWY_TARGET <= HWY_AVX3
    if (multipliesPairs(args.q.shape[2])) return packTilePairs(args, tile, packed);
#endif
    packTile<BFloat16>(args, tile, packed);
}
void runSliceOf(const AttentionBackwardArgs& args, const BackwardPlan& plan, const SliceWork& work, float* workspace,
                float* scratch) {
    const BackwardScratch s(scratch, plan.headDim, plan.group);
    if (args.q.dtype == DType::F32) return runSlice<WideTiles<float>>(args, plan, work, workspace, s);
#if HWY_TARGET <= HWY_AVX3
    if (multipliesPairs(args.q.shape[2])) return runSlice<PairTiles>(args, plan, work, workspace, s);
#endif
    runSlice<WideTiles<BFloat16>>(args, plan, work, workspace, s);
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

BackwardPlan planOf(const AttentionBackwardArgs& args, int numThreads) {
    const int64_t headDim = args.q.shape[2];
    // Pairs need half the room of floats.
    const bool isPaired = args.q.dtype == DType::BF16 && multipliesPairs(headDim);
    return {args,
            numThreads,
            {.packedMatrices = isPaired ? 2 : 4,
             .scratchFloats = BackwardScratch::floats(headDim, args.q.shape[1] / args.k.shape[1], args.options)}};
}

}  // namespace

size_t attentionBackwardFlashWorkspace(const Context& context, const AttentionBackwardArgs& args) {
    return planOf(args, context.numThreads).totalFloats * sizeof(float);
}

void attentionBackwardFlash(const Context& context, const AttentionBackwardArgs& args) {
    runBackward(
        context, args, planOf(args, context.numThreads),
        {HWY_DYNAMIC_DISPATCH(packTileOf), HWY_DYNAMIC_DISPATCH(runSliceOf), HWY_DYNAMIC_DISPATCH(finishTileOf)});
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
