// SPDX-License-Identifier: Apache-2.0
// Tiled attention over the block cache: decode and chunked prefill in one arithmetic.
//
// Keys are cut into spans of 512 by their place in the sequence. A span starts with an empty online softmax and gives a
// partial (sums, highest, total); partials are merged in the order of spans:
//
//   m = max(m1, m2);  l = l1 exp(m1 - m) + l2 exp(m2 - m);  O = O1 exp(m1 - m) + O2 exp(m2 - m)
//
// A few query rows over a long cache (decode) give one span to a thread; many rows (prefill) walk the spans of a tile
// in one thread. Either way a row goes through the same operations in the same order, so its bits do not depend on
// which rows share the call, on how a prompt was cut into chunks, or on the number of threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/paged_attention_tiled.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include <hwy/highway.h>

#include "kernels/cpu/attention_tile_inl.h"
#include "kernels/cpu/attention_workspace.h"
#include "kernels/cpu/paged_plan.h"

#include <omp.h>

HWY_BEFORE_NAMESPACE();
namespace wb::kernels::cpu::HWY_NAMESPACE {
namespace {

// Rows of up to 64 keys, wherever their blocks lie, as float with `stride`.
template <class T>
void gatherCached(const T* cache, const Shape& shape, const int32_t* table, int64_t head, int64_t firstKey,
                  int64_t count, size_t stride, float* out) {
    const int64_t blockSize = shape[1];
    const int64_t rowStride = shape[2] * shape[3];
    for (int64_t done = 0; done < count;) {
        const int64_t key = firstKey + done;
        const int64_t run = std::min(count - done, blockSize - key % blockSize);
        const T* from = cache + (table[key / blockSize] * blockSize + key % blockSize) * rowStride + head * shape[3];
        gatherRows(from, rowStride, static_cast<size_t>(run), static_cast<size_t>(shape[3]),
                   out + static_cast<size_t>(done) * stride, stride);
        done += run;
    }
}

HWY_INLINE void scaleRows(float* rows, size_t stride, const float* factors, int64_t count) {
    const FloatTag d;
    for (int64_t r = 0; r < count; ++r, rows += stride) {
        if (factors[r] == 1.0F) continue;
        const auto factor = hn::Set(d, factors[r]);
        for (size_t i = 0; i < stride; i += hn::Lanes(d)) {
            hn::StoreU(hn::Mul(hn::LoadU(d, rows + i), factor), d, rows + i);
        }
    }
}

template <class T>
void runSpan(const PagedAttentionArgs& args, const PagedTile& paged, int64_t span, const PagedScratch& s,
             const PagedPartial& part) {
    const QueryTile& tile = paged.tile;
    const int64_t headDim = args.q.shape[2];
    const auto width = static_cast<size_t>(headDim);
    const auto padded = static_cast<size_t>(s.paddedDim);
    const auto columns = static_cast<size_t>(tile.columns());
    // Lanes without a row keep what they hold: no product is spent on them.
    const size_t lanes = std::max<size_t>(8, hn::Lanes(FloatTag()));
    const size_t used = (static_cast<size_t>(tile.numRows) + lanes - 1) / lanes * lanes;
    const ScoreRules rules{args.options, args.bias, tile.seenBySome(args.options), tile.seenByAll(args.options)};
    std::fill_n(part.sums, static_cast<size_t>(tile.numRows) * padded, 0.0F);
    std::fill_n(part.highest, columns, kMinusInfinity);
    std::fill_n(part.total, columns, 0.0F);
    const int64_t end = std::min(rules.seenBySome.end, (span + 1) * kSpanKeys);
    for (int64_t first = std::max(span * kSpanKeys, rules.seenBySome.begin / kTileKeys * kTileKeys); first < end;
         first += kTileKeys) {
        const int64_t numKeys = std::min(kTileKeys, tile.sequence.numKeys - first);
        const auto rows = static_cast<size_t>(numKeys);
        gatherCached(args.keyCache.as<T>(), args.keyCache.shape, paged.table, tile.keyValueHead, first, numKeys, width,
                     s.operand);
        multiply<Start::Zero, Layout::DepthContiguous>(rows, used, width, {s.operand, width}, s.queries, columns,
                                                       s.scores, columns);
        applyRules(rules, tile, *s.facts, first, numKeys, s.scores, nullptr, s.bias);
        softmaxStep(s.scores, rows, columns, {part.highest, part.total, s.shrink});
        scaleRows(part.sums, padded, s.shrink, tile.numRows);
        gatherCached(args.valueCache.as<T>(), args.valueCache.shape, paged.table, tile.keyValueHead, first, numKeys,
                     padded, s.operand);
        multiply<Start::Keep, Layout::RowContiguous>(static_cast<size_t>(tile.numRows), padded, rows,
                                                     {s.scores, columns}, s.operand, padded, part.sums, padded);
    }
}

template <class T>
void prepareTile(const PagedAttentionArgs& args, const PagedTile& paged, const PagedScratch& s) {
    gatherTransposed(paged.tile, args.q.as<T>(), args.q.shape[1], args.q.shape[2],
                     static_cast<float>(attentionScale(args.options, args.q.shape[2])), s.queries);
    s.facts->fill(paged.tile, args.options, args.bias);
    std::fill_n(s.scores, kTileKeys * paged.tile.columns(), 0.0F);
}

// into = merge(into, part).
void mergePartial(const PagedPartial& part, int64_t numRows, size_t padded, const PagedPartial& into) {
    const FloatTag d;
    for (int64_t r = 0; r < numRows; ++r) {
        const float top = std::max(into.highest[r], part.highest[r]);
        if (part.total[r] == 0 && into.total[r] == 0) continue;
        const auto shift = hn::Set(d, top == kMinusInfinity ? 0.0F : top);
        const auto mine = expSmall(d, hn::Sub(hn::Set(d, into.highest[r]), shift));
        const auto theirs = expSmall(d, hn::Sub(hn::Set(d, part.highest[r]), shift));
        float* sums = into.sums + static_cast<size_t>(r) * padded;
        const float* more = part.sums + static_cast<size_t>(r) * padded;
        for (size_t i = 0; i < padded; i += hn::Lanes(d)) {
            const auto kept = hn::Mul(hn::LoadU(d, sums + i), mine);
            hn::StoreU(hn::MulAdd(hn::LoadU(d, more + i), theirs, kept), d, sums + i);
        }
        into.total[r] = into.total[r] * hn::GetLane(mine) + part.total[r] * hn::GetLane(theirs);
        into.highest[r] = top;
    }
}

template <class T>
void storeRowsOf(const PagedAttentionArgs& args, const QueryTile& tile, size_t padded, const PagedPartial& part) {
    for (int64_t r = 0; r < tile.numRows; ++r) {
        const float inverse = part.total[r] == 0 ? 0.0F : 1.0F / part.total[r];
        storeRows(part.sums + static_cast<size_t>(r) * padded, 0, inverse,
                  tile.row(args.out.as<T>(), r, args.q.shape[1], args.q.shape[2]), 0, 1,
                  static_cast<size_t>(args.q.shape[2]));
    }
}

void clearPartial(const PagedPartial& part, const QueryTile& tile, size_t padded) {
    std::fill_n(part.sums, static_cast<size_t>(tile.numRows) * padded, 0.0F);
    std::fill_n(part.highest, tile.columns(), kMinusInfinity);
    std::fill_n(part.total, tile.columns(), 0.0F);
}

template <class T>
void runTile(const PagedAttentionArgs& args, const PagedTile& paged, const PagedScratch& s) {
    const auto padded = static_cast<size_t>(s.paddedDim);
    prepareTile<T>(args, paged, s);
    clearPartial(s.merged, paged.tile, padded);
    for (int64_t span = paged.firstSpan; span < paged.endSpan; ++span) {
        runSpan<T>(args, paged, span, s, s.part);
        mergePartial(s.part, paged.tile.numRows, padded, s.merged);
    }
    storeRowsOf<T>(args, paged.tile, padded, s.merged);
}

template <class T>
void finishTile(const PagedAttentionArgs& args, const PagedTile& paged, const PagedPlan& plan, float* workspace,
                const PagedScratch& s) {
    const auto padded = static_cast<size_t>(s.paddedDim);
    clearPartial(s.merged, paged.tile, padded);
    for (int64_t span = paged.firstSpan; span < paged.endSpan; ++span) {
        mergePartial(plan.partial(workspace, paged, span), paged.tile.numRows, padded, s.merged);
    }
    storeRowsOf<T>(args, paged.tile, padded, s.merged);
}

}  // namespace

void runPagedTile(const PagedAttentionArgs& args, const PagedTile& paged, const PagedScratch& s) {
    if (args.q.dtype == DType::BF16) return runTile<BFloat16>(args, paged, s);
    runTile<float>(args, paged, s);
}
void runPagedSpan(const PagedAttentionArgs& args, const PagedTile& paged, int64_t span, const PagedScratch& s,
                  const PagedPartial& part) {
    if (args.q.dtype == DType::BF16) {
        prepareTile<BFloat16>(args, paged, s);
        return runSpan<BFloat16>(args, paged, span, s, part);
    }
    prepareTile<float>(args, paged, s);
    runSpan<float>(args, paged, span, s, part);
}
void finishPagedTile(const PagedAttentionArgs& args, const PagedTile& paged, const PagedPlan& plan, float* workspace,
                     const PagedScratch& s) {
    if (args.q.dtype == DType::BF16) return finishTile<BFloat16>(args, paged, plan, workspace, s);
    finishTile<float>(args, paged, plan, workspace, s);
}

}  // namespace wb::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace wb::kernels::cpu {
namespace {

HWY_EXPORT(runPagedTile);
HWY_EXPORT(runPagedSpan);
HWY_EXPORT(finishPagedTile);

// Decoding leaves most lanes of a tile empty and never reaches full speed: a second thread pays from a few microseconds
// of work on.
int pagedThreads(const Context& context, int64_t numItems, double flops) {
    constexpr double kFlopsPerThread = 2e5;
    const int64_t worth = 1 + static_cast<int64_t>(std::min(flops / kFlopsPerThread, 1e6));
    return static_cast<int>(std::clamp<int64_t>(std::min(numItems, worth), 1, std::max(1, context.numThreads)));
}

}  // namespace

size_t pagedAttentionTiledWorkspace(const Context& context, const PagedAttentionArgs& args) {
    return PagedPlan(args, context.numThreads).totalFloats * sizeof(float);
}

void pagedAttentionTiled(const Context& context, const PagedAttentionArgs& args) {
    const PagedPlan plan(args, context.numThreads);
    float* workspace = args.workspace.as<float>();
    const auto numTilesOfCall = static_cast<int64_t>(plan.tiles.size());
    const auto numSpans = static_cast<int64_t>(plan.spans.size());
    const int threads = pagedThreads(context, plan.isSplit ? numSpans : numTilesOfCall, plan.flops);
#pragma omp parallel num_threads(threads)
    {
        LaneFacts facts;
        PagedScratch scratch = plan.scratch(workspace, omp_get_thread_num());
        scratch.facts = &facts;
        if (plan.isSplit) {
#pragma omp for schedule(dynamic)
            for (int64_t i = 0; i < numSpans; ++i) {
                const PagedSpan& span = plan.spans[static_cast<size_t>(i)];
                const PagedTile& paged = plan.tiles[span.tile];
                HWY_DYNAMIC_DISPATCH(runPagedSpan)
                (args, paged, span.span, scratch, plan.partial(workspace, paged, span.span));
            }
        }
        // Last tiles first: they see the most keys.
#pragma omp for schedule(dynamic)
        for (int64_t i = numTilesOfCall - 1; i >= 0; --i) {
            const PagedTile& paged = plan.tiles[static_cast<size_t>(i)];
            if (plan.isSplit) {
                HWY_DYNAMIC_DISPATCH(finishPagedTile)(args, paged, plan, workspace, scratch);
            } else {
                HWY_DYNAMIC_DISPATCH(runPagedTile)(args, paged, scratch);
            }
        }
    }
}

}  // namespace wb::kernels::cpu
#endif  // HWY_ONCE
